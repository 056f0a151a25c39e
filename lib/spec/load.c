// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Files and text to a spec: what is read in which order, and what becomes of it when something is wrong. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "spec/impl.h"

/* --- files ---------------------------------------------------------------------------------------------- */

int spec_read_file(const char *path, size_t max, char **ret_text, size_t *ret_len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	size_t len = 0, cap = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	for (;;) {
		ssize_t n;

		if (len == cap) {
			/* One more than its size, so that a regular file ends in the first round. */
			size_t bigger = cap ? cap * 2 :
					S_ISREG(st.st_mode) && st.st_size > 0 && (uint64_t)st.st_size < max ?
					      (size_t)st.st_size + 1 :
					      64UL << 10;
			char *p = realloc(text, bigger);

			if (!p)
				return -ENOMEM;
			text = p;
			cap = bigger;
		}
		n = read(fd, text + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
	}
	*ret_text = TAKE_PTR(text);
	*ret_len = len;
	return 0;
}

const char *spec_file(struct spec_ctx *c, const char *file)
{
	struct spec *s = c->spec;

	for (size_t i = 0; i < s->n_files; i++)
		if (!strcmp(s->files[i], file))
			return s->files[i];
	if (!spec_grow(c, &s->files, s->n_files, sizeof(*s->files)))
		return NULL;
	s->files[s->n_files] = spec_strdup(c, file);
	return s->files[s->n_files] ? s->files[s->n_files++] : NULL;
}

char *spec_path(struct spec_ctx *c, const char *path, bool absolute)
{
	_cleanup_free_ char *cwd = NULL;
	const char *slash = strrchr(c->file, '/');
	char *joined;
	int n;

	if (!strncmp(path, "./", 2))
		path += 2;
	if (path[0] == '/')
		return spec_strdup(c, path);
	if (c->base)
		n = asprintf(&joined, "%s%s%s", c->base,
			     *c->base && c->base[strlen(c->base) - 1] != '/' ? "/" : "", path);
	else if (slash)
		n = asprintf(&joined, "%.*s%s", (int)(slash - c->file + 1), c->file, path);
	else
		n = asprintf(&joined, "%s", path);
	if (n < 0) {
		c->oom = true;
		return NULL;
	}
	if (absolute && joined[0] != '/') {
		_cleanup_free_ char *relative = joined;

		cwd = getcwd(NULL, 0);
		if (!cwd && errno == ENOMEM) {
			c->oom = true;
			return NULL;
		}
		/* Without a working folder the relative name is the best there is. */
		if (!cwd)
			return TAKE_PTR(relative);
		n = asprintf(&joined, "%s/%s", strcmp(cwd, "/") ? cwd : "",
			     strncmp(relative, "./", 2) ? relative : relative + 2);
		if (n < 0) {
			c->oom = true;
			return NULL;
		}
	}
	return joined;
}

/* --- documents ------------------------------------------------------------------------------------------ */

struct document {
	const char *file; /* in spec->files */
	struct yaml_tree *tree;
};

struct reader {
	struct spec_ctx c;
	struct document *documents;
	size_t n_documents;
	const struct yaml_node *name; /* the first `name`, and its file */
	const char *name_file;
	int file_error;	 /* of a file that cannot be read */
	bool incomplete; /* a file is missing here: names that others use may be in it */
};

static int add_text(struct reader *r, const char *text, size_t len, const char *file)
{
	struct document *d;
	int e;

	if (!spec_grow(&r->c, &r->documents, r->n_documents, sizeof(*d)))
		return -ENOMEM;
	d = &r->documents[r->n_documents];
	d->tree = NULL;
	d->file = spec_file(&r->c, file);
	if (!d->file)
		return -ENOMEM;
	e = yaml_tree_parse(text, len, file, r->c.diags, &d->tree);
	if (!e)
		r->n_documents++;
	else
		r->incomplete = true;
	return e == -ENOMEM ? e : 0;
}

static void cannot_read(struct reader *r, const char *path, int e)
{
	struct loc loc = { .file = diags_file(r->c.diags, path) };

	if (e == -EFBIG)
		diag_error(r->c.diags, &loc, "the file is longer than %lu MB", YAML_BYTES_MAX >> 20);
	else
		diag_errno(diag_error(r->c.diags, &loc, "cannot read the configuration"), e);
	r->incomplete = true;
	if (!r->file_error)
		r->file_error = e == -EFBIG ? -EINVAL : e;
}

static int add_file(struct reader *r, const char *path)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int e = spec_read_file(path, YAML_BYTES_MAX, &text, &len);

	if (e == -ENOMEM)
		return e;
	if (e < 0) {
		cannot_read(r, path, e);
		return 0;
	}
	return add_text(r, text, len, path);
}

static int is_yaml(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 && !strcmp(d->d_name + n - 5, ".yaml");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_folder(struct reader *r, const char *path)
{
	struct dirent **entries = NULL;
	int e = 0, n = scandir(path, &entries, is_yaml, by_name);
	size_t len = strlen(path);

	if (n < 0) {
		cannot_read(r, path, -errno);
		return 0;
	}
	if (!n) {
		struct loc loc = { .file = diags_file(r->c.diags, path) };

		diag_errno(diag_error(r->c.diags, &loc, "the folder holds no *.yaml"), 0);
		if (!r->file_error)
			r->file_error = -ENOENT;
	}
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *file = NULL;

		if (!e && asprintf(&file, "%s%s%s", path, len && path[len - 1] == '/' ? "" : "/",
				   entries[i]->d_name) < 0)
			e = -ENOMEM;
		if (!e)
			e = add_file(r, file);
		free(entries[i]);
	}
	free(entries);
	return e;
}

/* --- the top level -------------------------------------------------------------------------------------- */

enum { TOP_TCCTL, TOP_NAME };
static const struct spec_key top_keys[] = {
	[TOP_TCCTL] = { .name = "tcctl" },
	[TOP_NAME] = { .name = "name" },
	{ .name = "sets" },
	{ .name = "classes" },
	{ .name = "rules" },
	{ .name = "interfaces" },
	{ .name = "programs" },
	{ .name = "tunnels" },
	{ .name = "subscribers", .later = "rates for many customers" },
	{ .name = "qdiscs", .later = "queueing disciplines" },
};

static void read_version(struct spec_ctx *c, const struct yaml_node *root, const struct yaml_pair *p)
{
	uint32_t version = 0;
	struct diag *g;

	if (!p) {
		diag_hint(spec_error(c, root, "the format version is missing"),
			  "the file starts with `tcctl: %d`", SPEC_VERSION);
		return;
	}
	if (p->value->kind == YAML_TEXT && !spec_number(p->value->text, p->value->n, &version) &&
	    version > SPEC_VERSION) {
		diag_hint(spec_error(c, p->value,
				     "format version %u is newer than this program, which reads %d", version,
				     SPEC_VERSION),
			  "update tcctl");
		return;
	}
	if (version == SPEC_VERSION)
		return;
	g = spec_expected(c, p->value, "tcctl", "the format version %d", SPEC_VERSION);
	if (p->value->kind == YAML_MAP)
		diag_hint(g, "`tcctl: %d` is a line of its own, the rest follows beside it", SPEC_VERSION);
}

static void read_name(struct reader *r, const struct yaml_pair *p)
{
	struct spec_ctx *c = &r->c;

	if (!p || !spec_text(c, p->value, "name", "a name for what this configuration owns") ||
	    !spec_name_ok(c, p->value, "configuration"))
		return;
	if (r->name) {
		spec_error(c, p->key, "key \"name\" is given twice: first at %s:%u:%u", r->name_file,
			   r->name->line, r->name->col);
		return;
	}
	r->name = p->key;
	r->name_file = c->file;
	c->spec->name = spec_strdup(c, p->value->text);
}

/* `tcctl` and `name` of each document, and keys that are none. */
static void read_top(struct reader *r)
{
	for (size_t i = 0; i < r->n_documents; i++) {
		const struct yaml_pair *seen[ARRAY_SIZE(top_keys)] = { 0 };
		const struct yaml_node *root = yaml_tree_root(r->documents[i].tree);

		r->c.file = r->documents[i].file;
		if (!spec_map(&r->c, root, "the configuration", top_keys, ARRAY_SIZE(top_keys), NULL, seen))
			continue;
		read_version(&r->c, root, seen[TOP_TCCTL]);
		read_name(r, seen[TOP_NAME]);
	}
}

static void read_section(struct reader *r, const char *name,
			 void (*parse)(struct spec_ctx *c, const struct yaml_node *map))
{
	for (size_t i = 0; i < r->n_documents; i++) {
		const struct yaml_node *v = yaml_map_get(yaml_tree_root(r->documents[i].tree), name);

		r->c.file = r->documents[i].file;
		if (v && !v->reported)
			parse(&r->c, v);
	}
}

static int read_documents(struct reader *r)
{
	spec_add_classes(&r->c);
	read_top(r);
	/* What is referred to comes before what refers to it, whatever the order in the files. */
	read_section(r, "sets", spec_parse_sets);
	read_section(r, "tunnels", spec_parse_tunnels);
	read_section(r, "classes", spec_parse_classes);
	read_section(r, "programs", spec_parse_programs);
	read_section(r, "rules", spec_parse_rulesets);
	read_section(r, "interfaces", spec_parse_interfaces);
	if (!r->c.spec->name)
		r->c.spec->name = spec_strdup(&r->c, "default");
	return r->c.oom ? -ENOMEM : 0;
}

static int reader_init(struct reader *r, const struct spec_options *options, struct tcctl_diags *diags)
{
	*r = (struct reader){ .c = { .diags = diags, .base = options ? options->base : NULL } };
	r->c.spec = calloc(1, sizeof(*r->c.spec));
	return r->c.spec ? 0 : -ENOMEM;
}

/* Everything is read (or `e` says why not): hand the spec over or say what is wrong. */
static int reader_finish(struct reader *r, int e, size_t first_diag, size_t errors, struct spec **ret_spec)
{
	struct spec_ctx *c = &r->c;

	if (!e && !r->incomplete)
		e = read_documents(r);
	diags_sort(c->diags, first_diag);
	if (diags_lost(c->diags, DIAG_ERROR))
		diag_add(c->diags, DIAG_NOTE, NULL, "%zu more errors are not listed",
			 diags_lost(c->diags, DIAG_ERROR));
	if (e == -ENOMEM)
		diag_error(c->diags, NULL, "out of memory");
	else if (r->file_error)
		e = r->file_error;
	else if (c->diags->n_errors != errors)
		e = -EINVAL;
	for (size_t i = 0; i < r->n_documents; i++)
		yaml_tree_free(r->documents[i].tree);
	free(r->documents);
	names_done(&c->sets);
	names_done(&c->tunnels);
	names_done(&c->classes);
	names_done(&c->rulesets);
	names_done(&c->programs);
	names_done(&c->interfaces);
	if (e)
		spec_free(c->spec);
	else
		*ret_spec = c->spec;
	return e;
}

int spec_parse(const char *text, size_t len, const char *file, const struct spec_options *options,
	       struct tcctl_diags *diags, struct spec **ret_spec)
{
	size_t first_diag = diags->n, errors = diags->n_errors;
	struct reader r;
	int e = reader_init(&r, options, diags);

	if (e)
		return e;
	e = add_text(&r, text, len, file);
	return reader_finish(&r, e, first_diag, errors, ret_spec);
}

int spec_load(const char *const *paths, size_t n_paths, const struct spec_options *options,
	      struct tcctl_diags *diags, struct spec **ret_spec)
{
	size_t first_diag = diags->n, errors = diags->n_errors;
	struct reader r;
	struct stat st;
	int e = reader_init(&r, options, diags);

	if (e)
		return e;
	for (size_t i = 0; i < n_paths && !e; i++)
		e = !stat(paths[i], &st) && S_ISDIR(st.st_mode) ? add_folder(&r, paths[i]) :
								  add_file(&r, paths[i]);
	return reader_finish(&r, e, first_diag, errors, ret_spec);
}

void spec_free(struct spec *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_sets; i++) {
		free(s->sets[i].name);
		free(s->sets[i].file);
		free(s->sets[i].items);
	}
	for (size_t i = 0; i < s->n_tunnels; i++)
		spec_tunnel_done(&s->tunnels[i]);
	for (size_t i = 0; i < s->n_classes; i++)
		free(s->classes[i].name);
	for (size_t i = 0; i < s->n_rulesets; i++) {
		for (size_t k = 0; k < s->rulesets[i].n_rules; k++)
			spec_rule_done(&s->rulesets[i].rules[k]);
		free(s->rulesets[i].rules);
		free(s->rulesets[i].name);
	}
	for (size_t i = 0; i < s->n_programs; i++) {
		free(s->programs[i].name);
		free(s->programs[i].object);
		free(s->programs[i].program);
	}
	for (size_t i = 0; i < s->n_interfaces; i++) {
		struct spec_interface *in = &s->interfaces[i];

		free(in->key);
		free(in->altname);
		for (int d = 0; d < SPEC_DIR_MAX; d++)
			spec_hook_done(&in->hook[d]);
	}
	for (size_t i = 0; i < s->n_files; i++)
		free(s->files[i]);
	free(s->files);
	free(s->sets);
	free(s->tunnels);
	free(s->classes);
	free(s->rulesets);
	free(s->programs);
	free(s->interfaces);
	free(s->name);
	free(s);
}
