// SPDX-License-Identifier: GPL-2.0-only
#include "packet.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "layers.h"

int packet_parse(const char *text, unsigned int flags, struct packet *ret, char *err, size_t err_len)
{
	struct parser *ps = calloc(1, sizeof(*ps));
	struct builder *b = malloc(sizeof(*b));
	int rc = -1;

	if (!ps || !b) {
		snprintf(err, err_len, "out of memory");
		goto out;
	}
	ps->text = ps->p = text;
	ps->err = err;
	ps->err_len = err_len;
	b->start = PACKET_MAX;
	if (layers_parse(ps))
		goto out;
	if (flags & PACKET_ADD_ETH && ps->layers[0].id != L_ETH && layer_types[ps->layers[0].id].ethertype >= 0) {
		if (ps->n == MAX_LAYERS) {
			layers_fail(ps, ps->p, "more than %d headers", MAX_LAYERS);
			goto out;
		}
		memmove(&ps->layers[1], &ps->layers[0], ps->n * sizeof(ps->layers[0]));
		memset(&ps->layers[0], 0, sizeof(ps->layers[0]));
		ps->n++;
	}
	if (layers_presets(ps))
		goto out;
	for (size_t i = ps->n; i-- > 0;)
		if (layers_build(ps, b, i))
			goto out;
	ret->len = PACKET_MAX - b->start;
	ret->data = malloc(ret->len ? ret->len : 1);
	if (!ret->data) {
		snprintf(err, err_len, "out of memory");
		goto out;
	}
	memcpy(ret->data, b->buf + b->start, ret->len);
	rc = 0;
out:
	if (ps)
		layers_done(ps);
	free(ps);
	free(b);
	return rc;
}

int packet_from_hex(const char *hex, struct packet *ret, char *err, size_t err_len)
{
	if (hex_parse(hex, &ret->data, &ret->len)) {
		snprintf(err, err_len, "not an even number of hex digits");
		return -1;
	}
	return 0;
}

uint32_t packet_sum16(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (len & 1)
		sum += (uint32_t)(p[len - 1] << 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

void packet_done(struct packet *p)
{
	free(p->data);
	p->data = NULL;
	p->len = 0;
}

size_t packet_l3_offset(const struct packet *p)
{
	size_t off = 12;

	while (off + 2 <= p->len) {
		unsigned int type = (unsigned int)(p->data[off] << 8 | p->data[off + 1]);

		if (type == 0x8100 || type == 0x88a8)
			off += 4;
		else
			return (type == 0x0800 || type == 0x86dd) && off + 2 < p->len ? off + 2 : 0;
	}
	return 0;
}

void packet_dump(FILE *f, const char *indent, const uint8_t *data, size_t len, const struct packet *other)
{
	for (size_t row = 0; row < len; row += 16) {
		bool differs = false;

		fprintf(f, "%s%04zx ", indent, row);
		for (size_t k = row; k < row + 16; k++) {
			if (k >= len) {
				fputs("   ", f);
				continue;
			}
			bool d = other && (k >= other->len || other->data[k] != data[k]);

			fprintf(f, "%c%02x", d ? '*' : ' ', data[k]);
			differs |= d;
		}
		fputs("  ", f);
		for (size_t k = row; k < row + 16 && k < len; k++)
			fputc(isprint(data[k]) ? data[k] : '.', f);
		fputs(differs ? "  <- differs\n" : "\n", f);
	}
}
