// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "bpflog.h"

#include <bpf/libbpf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MAX (1 << 20) /* the end is what matters, and a verifier log can be 16 MB */

static pthread_mutex_t capture_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int capturing;
static libbpf_print_fn_t print_before;
static __thread struct bpflog *current;

__attribute__((format(printf, 2, 0))) static int capture(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	struct bpflog *log = current;
	char *line, *text;
	int n;

	if (!log)
		return print_before ? print_before(level, fmt, ap) : 0;
	if (level == LIBBPF_DEBUG)
		return 0;
	n = vasprintf(&line, fmt, ap);
	if (n < 0)
		return 0;
	if (log->len + n > LOG_MAX) {
		size_t keep = log->len / 4;

		memmove(log->text, log->text + log->len - keep, keep);
		log->len = keep;
	}
	text = realloc(log->text, log->len + n + 1);
	if (text) {
		memcpy(text + log->len, line, n + 1);
		log->text = text;
		log->len += n;
	}
	free(line);
	return n;
}

void bpflog_begin(struct bpflog *log)
{
	*log = (struct bpflog){ .outer = current };
	pthread_mutex_lock(&capture_lock);
	if (capturing++ == 0)
		print_before = libbpf_set_print(capture);
	pthread_mutex_unlock(&capture_lock);
	current = log;
}

void bpflog_end(struct bpflog *log)
{
	current = log->outer;
	pthread_mutex_lock(&capture_lock);
	if (--capturing == 0)
		libbpf_set_print(print_before);
	pthread_mutex_unlock(&capture_lock);
}

void bpflog_done(struct bpflog *log)
{
	free(log->text);
	*log = (struct bpflog){};
}

char *bpflog_tail(const struct bpflog *log, unsigned int lines)
{
	const char *end, *p;
	char *tail;

	if (!log->text || !log->len)
		return NULL;
	end = strstr(log->text, "-- END PROG LOAD LOG --");
	if (end) {
		while (end > log->text && end[-1] != '\n')
			end--;
	} else {
		end = log->text + log->len;
	}
	while (end > log->text && end[-1] == '\n')
		end--;
	for (p = end; p > log->text; p--)
		if (p[-1] == '\n' && --lines == 0)
			break;
	tail = strndup(p, end - p);
	return tail;
}
