/*
 * io/device.c -- what every device gets for having described its state.
 *
 * A device's struct has wires (clock, irq lines, sinks) and state.  The field
 * table names the state, and only that is shown, saved and loaded.
 *
 * The saved form is little-endian: "VDEV", the device's name, the number of
 * fields, then per field its name, element size and count, and the elements
 * (of a timer four numbers: deadline, generation, cause, order).
 * What is loaded may come out of a stranger's file: everything is compared
 * before anything is taken over, and the device's after_load() bounds what it
 * uses as an index.
 */
#include "io/device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/vclock.h"
#include "io/oddity.h"

const struct oddity_info oddities[N_ODDITIES] = {
#define X(name, a, b, about, counted) [ODDITY_##name] = { #name, a, b, about, counted },
    ODDITY_LIST(X)
#undef X
};

/* ---- one field ---- */

static bool is_timer(const struct field *f)
{
    return f->flags & FIELD_TIMER;
}

/* A timer is stored as so many numbers. */
#define TIMER_VALUES 4

/* Bytes of one number in the file, and how many of them a field is. */
static unsigned stored_bytes(const struct field *f)
{
    return is_timer(f) ? 8 : f->size;
}

static unsigned stored_count(const struct field *f)
{
    return is_timer(f) ? TIMER_VALUES * f->count : f->count;
}

/* The timer that is element i of the field. */
static struct vtimer *timer_at(const struct field *f, const void *dev, unsigned i)
{
    const uint8_t *at = (const uint8_t *)dev + f->offset + (size_t)i * f->size;
    return (struct vtimer *)(void *)(uintptr_t)at;
}

uint64_t field_get(const struct field *f, const void *dev, unsigned i)
{
    const uint8_t *at = (const uint8_t *)dev + f->offset + (size_t)i * f->size;
    uint64_t value = 0;
    if (is_timer(f))
        return ((const struct vtimer *)(const void *)at)->deadline_ns;
    bug_if(f->size > 8 || i >= f->count, "field %s[%u] of %u bytes", f->name, i, f->size);
    memcpy(&value, at, f->size);        /* x86 is little-endian: the low bytes */
    return value;
}

void field_set(const struct field *f, void *dev, unsigned i, uint64_t value)
{
    uint8_t *at = (uint8_t *)dev + f->offset + (size_t)i * f->size;
    if (is_timer(f)) {
        vtimer_arm((struct vtimer *)(void *)at, value);
        return;
    }
    bug_if(f->size > 8 || i >= f->count, "field %s[%u] of %u bytes", f->name, i, f->size);
    memcpy(at, &value, f->size);
}

/* ---- shown ---- */

static void show_timer(uint64_t deadline, FILE *out)
{
    if (deadline == VCLOCK_NEVER)
        fprintf(out, " off");
    else
        fprintf(out, " at %llu ns", (unsigned long long)deadline);
}

static void show_field(const struct field *f, const uint64_t *values, FILE *out)
{
    fprintf(out, "  %-10s", f->name);
    for (unsigned i = 0; i < f->count; i++) {
        uint64_t value = values[i];
        if (i && i % 16 == 0)
            fprintf(out, "\n  %-10s", "");
        if (is_timer(f))
            show_timer(value, out);
        else
            fprintf(out, " %0*llx", 2 * f->size, (unsigned long long)value);
    }
    fprintf(out, "%s%s\n", f->count > 1 ? "\n             " : "   ", f->about);
}

size_t device_values(const struct device_ops *ops, const void *dev, uint64_t *out, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < ops->n_fields; i++)
        for (unsigned j = 0; j < ops->fields[i].count; j++, k++)
            if (k < n)
                out[k] = field_get(&ops->fields[i], dev, j);
    return k;
}

void device_show_values(const struct device_ops *ops, const uint64_t *values, FILE *out)
{
    fprintf(out, "%s: %s\n", ops->name, ops->about);
    for (size_t i = 0; i < ops->n_fields; values += ops->fields[i++].count)
        if (!(ops->fields[i].flags & FIELD_HIDDEN))
            show_field(&ops->fields[i], values, out);
}

void device_show(const struct device_ops *ops, const void *dev, FILE *out)
{
    size_t n = device_values(ops, dev, NULL, 0);
    uint64_t *values = calloc(n + 1, sizeof *values);
    if (!values)
        return;
    device_values(ops, dev, values, n);
    device_show_values(ops, values, out);
    free(values);
}

/* ---- saved ---- */

/* What stands before a field's elements, and before the fields: a name with its length in front,
 * and behind it numbers.  Numbers are little-endian, as the host's are. */
static size_t head_bytes(const char *name, size_t n_numbers)
{
    return 1 + strlen(name) + n_numbers;
}

static void put_head(const char *name, const void *numbers, size_t n_numbers, struct bytes_out *o)
{
    size_t n = strlen(name);
    uint8_t *at = bytes_space(o, head_bytes(name, n_numbers));
    if (!at)
        return;
    at[0] = (uint8_t)n;
    memcpy(at + 1, name, n);
    memcpy(at + 1 + n, numbers, n_numbers);
}

/* `in` goes on behind the head; false if another stands there. */
static bool pass_head(const char *name, const void *numbers, size_t n_numbers, struct bytes_in *in)
{
    size_t n = strlen(name);
    const uint8_t *at = bytes_take(in, head_bytes(name, n_numbers));
    return at && at[0] == n && !memcmp(at + 1, name, n) && !memcmp(at + 1 + n, numbers, n_numbers);
}

/* The numbers of a device's head: how many fields.  Of a field's: bytes of an element, and how
 * many elements. */
struct field_head { uint8_t bytes; uint32_t count; } __attribute__((packed));

static struct field_head head_of(const struct field *f)
{
    return (struct field_head){ (uint8_t)stored_bytes(f), stored_count(f) };
}

static void put_timer(const struct vtimer *t, struct bytes_out *o)
{
    const uint64_t v[TIMER_VALUES] = { t->deadline_ns, t->generation, t->cause, t->order };
    BYTES_PUT(o, v);
}

/* All elements of a field that is no timer lie in the struct as they do in the saved form. */
static void put_elements(const struct field *f, const void *dev, struct bytes_out *o)
{
    if (is_timer(f))
        for (unsigned k = 0; k < f->count; k++)
            put_timer(timer_at(f, dev, k), o);
    else
        bytes_put(o, (const uint8_t *)dev + f->offset, (size_t)f->size * f->count);
}

void device_save(const struct device_ops *ops, const void *dev, struct bytes_out *o)
{
    const uint32_t n_fields = (uint32_t)ops->n_fields;
    bytes_put(o, "VDEV", 4);
    put_head(ops->name, &n_fields, sizeof n_fields, o);
    for (size_t i = 0; i < ops->n_fields; i++) {
        const struct field *f = &ops->fields[i];
        const struct field_head head = head_of(f);
        put_head(f->name, &head, sizeof head, o);
        put_elements(f, dev, o);
    }
}

/* ---- loaded ---- */

/* `in` goes on behind the device's state; false if what was there is not that of such a device. */
static bool pass_state(const struct device_ops *ops, struct bytes_in *in)
{
    const uint32_t n_fields = (uint32_t)ops->n_fields;
    const char *magic = bytes_take(in, 4);
    if (!magic || memcmp(magic, "VDEV", 4) ||
        !pass_head(ops->name, &n_fields, sizeof n_fields, in))
        return false;
    for (size_t i = 0; i < ops->n_fields; i++) {
        const struct field *f = &ops->fields[i];
        const struct field_head head = head_of(f);
        if (!pass_head(f->name, &head, sizeof head, in) ||
            !bytes_take(in, (size_t)head.bytes * head.count))
            return false;
    }
    return true;
}

static void take_elements(const struct field *f, void *dev, struct bytes_in *in)
{
    if (!is_timer(f)) {
        bytes_get(in, (uint8_t *)dev + f->offset, (size_t)f->size * f->count);
        return;
    }
    for (unsigned k = 0; k < f->count; k++) {
        uint64_t v[TIMER_VALUES];
        BYTES_GET(in, v);
        field_set(f, dev, k, v[0]);
    }
}

/* Settling may have armed a timer anew: where it came to the same, it is the one
 * that was saved, by number and by rank. */
static void take_ranks(const struct field *f, void *dev, struct bytes_in *in)
{
    for (unsigned k = 0; k < f->count; k++) {
        uint64_t v[TIMER_VALUES];
        struct vtimer *t = timer_at(f, dev, k);
        BYTES_GET(in, v);
        if (t->deadline_ns == v[0])
            vtimer_restore(t, v[0], (uint32_t)v[1], v[2], v[3]);
    }
}

/* Values that pass_state() has seen into the device: everything, or only its timers' ranks. */
static void take_over(const struct device_ops *ops, void *dev, struct bytes_in in, bool ranks)
{
    bytes_take(&in, 4 + head_bytes(ops->name, sizeof(uint32_t)));
    for (size_t i = 0; i < ops->n_fields; i++) {
        const struct field *f = &ops->fields[i];
        bytes_take(&in, head_bytes(f->name, sizeof(struct field_head)));
        if (!ranks)
            take_elements(f, dev, &in);
        else if (is_timer(f))
            take_ranks(f, dev, &in);
        else
            bytes_take(&in, (size_t)f->size * f->count);
    }
}

static bool has_timers(const struct device_ops *ops)
{
    for (size_t i = 0; i < ops->n_fields; i++)
        if (is_timer(&ops->fields[i]))
            return true;
    return false;
}

/* In three steps: everything is read and compared; taken over, and the device settles; timers get
 * back the rank they had among timers of the same time, so that they fire in the same order. */
int device_load(const struct device_ops *ops, void *dev, struct bytes_in *in)
{
    struct bytes_in again = *in;
    if (!pass_state(ops, in))
        return -EINVAL;
    take_over(ops, dev, again, false);
    if (ops->after_load)
        ops->after_load(dev);
    if (has_timers(ops))
        take_over(ops, dev, again, true);
    return 0;
}
