/*
 * debugger/link/ask.c -- one function for each question to the VMM: the machine's parts,
 * typing, snapshots, breakpoints.  An answer may contain anything, for the VMM's process is
 * not trusted (link.h); what it must be is checked or enforced here.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "debugger/link/private.h"
#include "vm/pc.h"

/* A bool that came over the wire may hold any byte, and in C to read one that is neither 0
 * nor 1 is undefined.  Look at it as a byte and make it one of the two. */
static void clean_bool(bool *b)
{
    unsigned char raw;
    memcpy(&raw, b, 1);
    raw = raw != 0;
    memcpy(b, &raw, 1);
}

int link_set_state(struct link *l, unsigned groups, const struct cpu_state *s)
{
    struct wire_state w = { .groups = groups, .cpu = *s };
    return link_ask(l, WIRE_SET_STATE, &w, sizeof w, 0);
}

int link_second(struct link *l, uint64_t address, struct link_second *out)
{
    struct wire_peek p = { .at = address };
    int err = link_ask(l, WIRE_SECOND, &p, sizeof p, sizeof *out);
    if (err)
        return err;
    *out = l->in.second;
    clean_bool(&out->is_shadow);
    clean_bool(&out->ok);
    if (out->depth > 4)
        out->depth = 4;
    return 0;
}

size_t link_parts(const struct link *l, struct pc_part *out, size_t n)
{
    return pc_parts_of(l ? l->disk : NULL, out, n);
}

int link_part_named(const struct link *l, const char *name, size_t len, struct pc_part *out)
{
    struct pc_part part[PC_MAX_PARTS];
    size_t n = link_parts(l, part, NELEM(part));
    for (size_t i = 0; i < n; i++)
        if (strlen(part[i].name) == len && strncasecmp(part[i].name, name, len) == 0) {
            *out = part[i];
            return (int)i;
        }
    return -ENOENT;
}

/* The number of values is believed only if it is exactly what the message has room for, and what
 * the part's table has: that both processes have, being the same program. */
int link_device(struct link *l, unsigned part, uint64_t *values, size_t *n)
{
    struct pc_part row[PC_MAX_PARTS];
    struct wire_peek p = { .what = part };
    if (part >= link_parts(l, row, NELEM(row)))
        return -ENOENT;
    int err = link_ask(l, WIRE_DEVICE, &p, sizeof p, WIRE_ANY);
    const struct wire_values *v = &l->in.values;
    if (err)
        return err;
    if (l->in.head.bytes < offsetof(struct wire_values, value) || v->n > WIRE_VALUES ||
        l->in.head.bytes != offsetof(struct wire_values, value) + v->n * sizeof v->value[0] ||
        v->n != device_values(row[part].ops, NULL, NULL, 0))
        return -EBADMSG;
    size_t room = *n;
    *n = v->n;
    memcpy(values, v->value, (v->n < room ? v->n : room) * sizeof *values);
    return v->n > room ? -E2BIG : 0;
}

static int peek(struct link *l, bool mmio, uint64_t at, unsigned size, uint64_t *value)
{
    struct wire_peek p = { .what = mmio, .size = size, .at = at };
    int err = link_ask(l, WIRE_PEEK, &p, sizeof p, sizeof p);
    *value = err ? low_bytes(~UINT64_C(0), size) : l->in.peek.value;
    return err;
}

int link_peek_port(struct link *l, uint16_t port, unsigned size, uint64_t *value)
{
    return peek(l, false, port, size, value);
}

int link_peek_mmio(struct link *l, gpa_t gpa, unsigned size, uint64_t *value)
{
    return peek(l, true, gpa, size, value);
}

/* A message carries only so many bytes; the caller sees by the result how many were taken. */
ssize_t link_type(struct link *l, enum link_input to, const char *bytes, size_t n)
{
    static struct wire_bytes b;
    if (n > sizeof b.byte)
        n = sizeof b.byte;
    b.to = to;
    b.n = (uint32_t)n;
    memcpy(b.byte, bytes, n);
    int err = link_ask(l, WIRE_TYPE, &b, WIRE_BYTES_HEAD + n, sizeof(struct wire_peek));
    return err ? err : l->in.peek.value <= n ? (ssize_t)l->in.peek.value : -EBADMSG;
}

/* ---- how it runs ---- */

/* The exits that LINK_FOLLOW_ALL means.  Left out are those that the monitor has asked for
 * itself and that the guest's code does not cause. */
static uint64_t guest_exits(void)
{
    static const enum exit_index ours[] = {
        EXIT_IDX_IRQ_WINDOW, EXIT_IDX_MTF, EXIT_IDX_KICKED, EXIT_IDX_BUDGET, EXIT_IDX_BREAKPOINT,
    };
    uint64_t mask = BIT(N_EXITS) - 1;
    for (size_t i = 0; i < NELEM(ours); i++)
        mask &= ~BIT(ours[i]);
    return mask;
}

int link_follow(struct link *l, uint64_t exits)
{
    struct wire_peek p = { .value = exits == LINK_FOLLOW_ALL ? guest_exits() : exits };
    int err = link_ask(l, WIRE_FOLLOW, &p, sizeof p, 0);
    if (!err)
        l->follow = p.value;
    return err;
}

uint64_t link_following(const struct link *l) { return l->follow; }

int link_set_step_irqs(struct link *l, bool on)
{
    struct wire_peek p = { .value = on };
    return link_ask(l, WIRE_STEP_IRQS, &p, sizeof p, 0);
}

/* ---- snapshots ---- */

#define SNAPSHOT_MS 120000              /* a slow disk must not look like a VMM that hangs */

/* The file goes along with the request as a descriptor (SCM_RIGHTS): the VMM's sandbox does
 * not let it open files.  A snapshot takes longer than other requests, so wait longer for
 * the answer.  [unix(7)] */
static int ask_with_file(struct link *l, enum wire_type type, int fd, char *why, size_t n)
{
    int patience = l->patience_ms;
    l->patience_ms = SNAPSHOT_MS;
    l->send_fd = fd;
    int err = link_ask_nothing(l, type);
    l->send_fd = -1;
    l->patience_ms = patience;
    return err ? link_refused(l, err, why, n) : 0;
}

int link_save(struct link *l, int fd, char *why, size_t n)
{
    return ask_with_file(l, WIRE_SAVE, fd, why, n);
}

int link_load(struct link *l, int fd, char *why, size_t n)
{
    return ask_with_file(l, WIRE_LOAD, fd, why, n);
}

/* ---- breakpoints ---- */

/* A breakpoint out of the latest answer, with everything in it made sane. */
static void take_break(struct link *l, struct link_break *b)
{
    *b = l->in.brk;
    clean_bool(&b->enabled);
    clean_bool(&b->temporary);
    clean_bool(&b->physical);
    link_clean(b->event, sizeof b->event);
    link_clean(b->condition, sizeof b->condition);
    if (b->kind >= N_BREAK_KINDS)
        b->kind = BREAK_CODE;
    if (b->agent_len > sizeof b->agent)
        b->agent_len = 0;
}

int link_break_add(struct link *l, struct link_break *b, char *why, size_t n)
{
    int err = link_ask(l, WIRE_BREAK_ADD, b, sizeof *b, sizeof *b);
    if (err)
        return link_refused(l, err, why, n);
    take_break(l, b);
    return 0;
}

int link_break_change(struct link *l, const struct link_break *b, char *why, size_t n)
{
    int err = link_ask(l, WIRE_BREAK_CHANGE, b, sizeof *b, 0);
    return err ? link_refused(l, err, why, n) : 0;
}

int link_break_delete(struct link *l, unsigned nr)
{
    struct link_break b = { .nr = nr };
    return link_ask(l, WIRE_BREAK_DELETE, &b, sizeof b, 0);
}

int link_break_at(const struct link *l, size_t i, struct link_break *b)
{
    struct wire_peek p = { .at = i };
    /* const for the caller: a question changes only the buffer for answers */
    struct link *asking = (struct link *)(uintptr_t)l;
    int err = link_ask(asking, WIRE_BREAK_AT, &p, sizeof p, sizeof *b);
    if (!err)
        take_break(asking, b);
    return err;
}
