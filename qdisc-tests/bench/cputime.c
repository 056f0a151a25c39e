// SPDX-License-Identifier: GPL-2.0-only
/*
 * cputime FILE COMMAND [ARGUMENT]…: run it, append "wall cpu" in milliseconds to FILE, exit as it did.
 * CPU time is user and system time of the command and of the children that it waited for.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/measure.h"

static double ms(struct timeval t)
{
	return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

int main(int argc, char **argv)
{
	struct rusage use;
	double t0;
	int status;
	pid_t pid;
	FILE *f;

	if (argc < 3)
		return 2;
	f = fopen(argv[1], "ae");
	if (!f) {
		perror(argv[1]);
		return 2;
	}
	t0 = bench_now();
	pid = fork();
	if (!pid) {
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &use) < 0) {
		perror("cputime");
		return 2;
	}
	fprintf(f, "%.3f %.3f\n", (bench_now() - t0) * 1e3, ms(use.ru_utime) + ms(use.ru_stime));
	fclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
