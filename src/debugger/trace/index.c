/*
 * debugger/trace/index.c -- the index of a block.
 *
 * It is filled in a table of the largest size and folded in half, by OR, as
 * often as that leaves it sparse: a bit's place in the smaller table is its
 * place in the larger without the highest bits.
 *
 * Guests repeat themselves, so each key remembers the value it saw last and
 * does nothing when it comes again; that is most of the time.
 */
#include "debugger/trace/index.h"

#include <stdlib.h>
#include <string.h>

#include "debugger/trace/field.h"
#include "debugger/trace/format.h"

#define MAX_BITS   (8 * TRACE_INDEX_MAX)
#define MIN_BYTES  16
#define MAX_KEYS   4            /* of one kind of event */
#define RANGE_MAX  64           /* values of a range that are tried one by one */

/* One field of one kind of event: how to get its value out of the event, and the value that
 * was added last. */
struct key {
    uint64_t mask, add;         /* of the event's word `word` */
    uint8_t  word, shift, grain;
    uint64_t salt;
    bool     seen;              /* in this block: */
    uint64_t last;              /* the value added last, without low bits */
};

struct keys { size_t n; struct key key[MAX_KEYS]; };

struct trace_index {
    uint64_t    bits[MAX_BITS / 64];
    struct keys of_kind[N_TRACE_KINDS], of_exit[N_EXITS];
    struct key  rip;
    uint64_t    reason;         /* of the last EXIT, and its exit_index() */
    int         exit;
};

/* Different fields must set different bits for the same value; the field's name makes the
 * difference. */
static uint64_t salt_of(const struct trace_field *f)
{
    return trace_sum(TRACE_SUM_START, f->name, strlen(f->name));
}

static struct key key_of(const struct trace_field *f, const struct trace_field_source *s)
{
    return (struct key){ .mask = UINT64_MAX >> (63 - s->hi) & UINT64_MAX << s->lo, .add = s->add,
                         .word = s->word, .shift = s->in_place ? 0 : s->lo, .grain = f->grain,
                         .salt = salt_of(f) };
}

static void add_key(struct keys *k, const struct trace_field *f, const struct trace_field_source *s)
{
    if (s->is && k->n < MAX_KEYS)
        k->key[k->n++] = key_of(f, s);
}

struct trace_index *trace_index_new(void)
{
    struct trace_index *x = calloc(1, sizeof *x);
    if (x)
        x->reason = UINT64_MAX, x->exit = -1;
    for (size_t i = 0; x && i < trace_fields_count(); i++) {
        const struct trace_field *f = trace_field_at(i);
        if (!f->indexed)
            continue;
        if (strcmp(f->name, "rip") == 0) {
            x->rip = key_of(f, &f->of_kind[0]);
            continue;
        }
        for (unsigned k = 0; k < N_TRACE_KINDS; k++)
            add_key(&x->of_kind[k], f, &f->of_kind[k]);
        for (unsigned e = 0; e < N_EXITS; e++)
            add_key(&x->of_exit[e], f, &f->of_exit[e]);
    }
    return x;
}

void trace_index_free(struct trace_index *x)
{
    free(x);
}

/* Two bits for each value, from the two halves of a hash of it.  [Bloom, "Space/Time
 * Trade-offs in Hash Coding with Allowable Errors", CACM 1970] */
static void set_bits(uint64_t *bits, uint64_t salt, uint64_t value)
{
    uint64_t h = trace_mix(value ^ salt);
    bits[(h % MAX_BITS) / 64] |= BIT(h % 64);
    h >>= 32;
    bits[(h % MAX_BITS) / 64] |= BIT(h % 64);
}

static inline void add_value(struct trace_index *x, struct key *k, uint64_t word)
{
    uint64_t value = (((word & k->mask) >> k->shift) + k->add) >> k->grain;
    if (k->seen && value == k->last)
        return;
    k->seen = true;
    k->last = value;
    set_bits(x->bits, k->salt, value);
}

static inline void add_all(struct trace_index *x, struct keys *keys, const struct trace_event *e)
{
    for (size_t i = 0; i < keys->n; i++) {
        uint64_t word;
        memcpy(&word, (const uint8_t *)e + 8 * keys->key[i].word, 8);
        add_value(x, &keys->key[i], word);
    }
}

/* Enter all indexed fields of an event.  Where an EXIT has its fields depends on its
 * reason, which is looked up once for a row of exits with the same one. */
static inline void add_event(struct trace_index *x, const struct trace_event *e)
{
    add_value(x, &x->rip, trace_linear(e));
    if (e->kind >= N_TRACE_KINDS)
        return;
    add_all(x, &x->of_kind[e->kind], e);
    if (e->kind != TRACE_EXIT)
        return;
    if (e->arg[0] != x->reason) {
        x->reason = e->arg[0];
        x->exit = x->reason <= UINT32_MAX ? exit_index((unsigned)x->reason) : -1;
    }
    if (x->exit >= 0)
        add_all(x, &x->of_exit[x->exit], e);
}

void trace_index_add(struct trace_index *x, const struct trace_event *events, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add_event(x, &events[i]);
}

static size_t count_bits(const uint64_t *bits, size_t n_words)
{
    size_t n = 0;
    for (size_t i = 0; i < n_words; i++)
        n += (size_t)__builtin_popcountll(bits[i]);
    return n;
}

/* The next block begins with an empty index, so no value counts as entered. */
static void forget(struct keys *keys, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < keys[i].n; k++)
            keys[i].key[k].seen = false;
}

/* Fold the table in half as long as at most half of its bits are set afterwards (each fold
 * can double the share of set bits, and a filter that is more than half full says "perhaps"
 * too often). */
size_t trace_index_take(struct trace_index *x, uint8_t *bytes)
{
    size_t n_words = NELEM(x->bits), set = count_bits(x->bits, n_words);
    while (n_words * 8 > MIN_BYTES && set * 8 <= n_words * 32) {    /* an eighth, once it is half */
        n_words /= 2;
        for (size_t i = 0; i < n_words; i++)
            x->bits[i] |= x->bits[i + n_words];
    }
    memcpy(bytes, x->bits, n_words * 8);
    memset(x->bits, 0, sizeof x->bits);
    x->rip.seen = false;
    forget(x->of_kind, NELEM(x->of_kind));
    forget(x->of_exit, NELEM(x->of_exit));
    return n_words * 8;
}

static bool has_bit(const uint8_t *index, uint64_t bit)
{
    return index[bit / 8] >> bit % 8 & 1;
}

/* A range is tried value by value, up to RANGE_MAX of them; of a longer range nothing is
 * known.  The hash is taken modulo the folded size: that is the same bit, because folding
 * only drops the highest bits of the place. */
bool trace_index_may_hold(const uint8_t *index, size_t n_bytes, const struct trace_field *f,
                          uint64_t lo, uint64_t hi)
{
    uint64_t salt = salt_of(f), n_bits = 8 * n_bytes;
    lo >>= f->grain;
    hi >>= f->grain;
    if (hi - lo >= RANGE_MAX)
        return true;
    for (uint64_t i = 0; i <= hi - lo; i++) {
        uint64_t h = trace_mix((lo + i) ^ salt);
        if (has_bit(index, h % n_bits) && has_bit(index, (h >> 32) % n_bits))
            return true;
    }
    return false;
}

void trace_index_describe(FILE *out)
{
    const char *comma = "";
    for (size_t i = 0; i < trace_fields_count(); i++) {
        const struct trace_field *f = trace_field_at(i);
        if (f->indexed)
            fprintf(out, "%s%s:%u", comma, f->name, f->grain);
        comma = f->indexed ? "," : comma;
    }
}

bool trace_index_described(const char *line, const struct trace_field *f)
{
    char wanted[80];
    int n = snprintf(wanted, sizeof wanted, "%s:%u", f->name, f->grain);
    for (const char *p = line; p && n > 0; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (strncmp(p, wanted, (size_t)n) == 0 && (p[n] == ',' || !p[n]))
            return true;
    return false;
}
