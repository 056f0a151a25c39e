// SPDX-License-Identifier: GPL-2.0-only
/* Programs of ours around the one under test, which see what becomes of its packets. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qt/runner.h"
#include "qt_observe.skel.h"

int observers_open(struct qt_runner *r)
{
	struct stat ns;
	struct bpf_program *p;

	libbpf_listen();
	r->observer = qt_observe__open();
	if (!r->observer || stat("/proc/self/ns/pid", &ns))
		goto fail;
	r->observer->rodata->pidns_dev = ns.st_dev;
	r->observer->rodata->pidns_ino = ns.st_ino;
	r->observer->rodata->pid = (uint32_t)getpid();
	bpf_object__for_each_program(p, r->observer->obj) {
		bool traces = p == r->observer->progs.see_freed;

		bpf_program__set_autoload(p, traces == (r->setup->mode == QT_PROG));
	}
	if (qt_observe__load(r->observer))
		goto fail;
	if (r->setup->mode == QT_PROG) {
		r->observer->links.see_freed = bpf_program__attach(r->observer->progs.see_freed);
		if (!r->observer->links.see_freed)
			goto fail;
	}
	return 0;
fail:
	snprintf(r->observer_why, sizeof(r->observer_why), "%s\n%.4000s", strerror(errno), libbpf_heard());
	qt_observe__destroy(r->observer);
	r->observer = NULL;
	return -1;
}

const struct observed *observer_read(struct qt_runner *r, enum observe_place place)
{
	static struct observed v;
	uint32_t key = place;

	if (!r->observer || bpf_map_lookup_elem(bpf_map__fd(r->observer->maps.observed), &key, &v) ||
	    v.count == r->seen[place])
		return NULL;
	r->seen[place] = v.count;
	return &v;
}

void outcome_fields(struct qt_outcome *o, const struct observed *v)
{
	o->has_fields = o->has_all = true;
	o->mark = v->mark;
	o->priority = v->priority;
	o->tstamp = v->tstamp;
	o->tc_index = v->tc_index;
	o->queue_mapping = v->queue_mapping;
	o->vlan_tci = v->vlan_tci;
	o->vlan_proto = v->vlan_proto;
}
