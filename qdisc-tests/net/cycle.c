// SPDX-License-Identifier: GPL-2.0-only
/*
 * cycle N A B C: N times, in one process and with one context: apply A, change to B, change to C, read the status,
 * remove. Exits 0 if afterwards as many file descriptors are open and as much memory is held as after the first tenth
 * (at least 5 cycles).
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tcctl.h"

static int open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static long resident_pages(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long size, resident = -1;

	if (f && fscanf(f, "%ld %ld", &size, &resident) != 2)
		resident = -1;
	if (f)
		fclose(f);
	return resident;
}

static void fail(const char *what, struct tcctl_diags *diags)
{
	struct tcctl_diag d = { .sz = sizeof(d) };

	fprintf(stderr, "%s failed\n", what);
	for (size_t i = 0; !tcctl_diags_get(diags, i, &d); i++)
		fprintf(stderr, "  %s: %s\n", d.device ? d.device : "-", d.message);
	exit(1);
}

static void apply(struct tcctl *t, const char *path)
{
	struct tcctl_diags *diags = tcctl_diags_new();
	struct tcctl_config *config;

	if (tcctl_config_load(&path, 1, NULL, diags, &config) || tcctl_apply(t, config, NULL, diags, NULL, NULL))
		fail(path, diags);
	tcctl_config_free(config);
	tcctl_diags_free(diags);
}

int main(int argc, char **argv)
{
	struct tcctl_diags *diags = tcctl_diags_new();
	int n = argc > 2 ? atoi(argv[1]) : 0, warm, files = 0;
	struct tcctl *t;
	long pages = 0;

	if (n < 1)
		return 2;
	warm = n / 10 > 5 ? n / 10 : 5;
	if (tcctl_open(NULL, diags, &t))
		fail("open", diags);
	for (int i = 0; i < n; i++) {
		struct tcctl_status *status;

		for (int k = 2; k < argc; k++)
			apply(t, argv[k]);
		if (tcctl_status(t, NULL, diags, &status))
			fail("status", diags);
		tcctl_status_free(status);
		if (tcctl_remove(t, NULL, diags, NULL))
			fail("remove", diags);
		if (i + 1 == warm) {
			files = open_files();
			pages = resident_pages();
		}
	}
	printf("after %d cycles: %d open files, %ld pages; after %d: %d, %ld\n", warm, files, pages, n, open_files(),
	       resident_pages());
	/* an eighth of headroom: the allocator and libbpf keep some for themselves */
	if (n > warm && (open_files() != files || resident_pages() > pages + pages / 8))
		return 1;
	tcctl_close(t);
	tcctl_diags_free(diags);
	return 0;
}
