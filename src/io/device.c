/*
 * io/device.c -- what every device gets for having described its state.
 *
 * A device's struct has wires (clock, irq lines, sinks) and state.  The field
 * table names the state, and only that is shown, saved and loaded.
 *
 * The saved form is little-endian: "VDEV", the device's name, the number of
 * fields, then per field its name, element size and count, and the elements
 * (of a timer four numbers: deadline, generation, cause, order).
 * A file is hostile until proven otherwise: everything is compared before
 * anything is taken over, and the device's after_load() bounds what it uses
 * as an index.
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

static void put_number(uint64_t v, unsigned bytes, FILE *out)
{
    for (unsigned i = 0; i < bytes; i++)
        putc_unlocked((int)(v >> (8 * i) & 0xff), out);
}

static void put_name(const char *name, FILE *out)
{
    size_t n = strlen(name);
    put_number(n, 1, out);
    fwrite(name, 1, n, out);
}

static void put_timer(const struct vtimer *t, FILE *out)
{
    put_number(t->deadline_ns, 8, out);
    put_number(t->generation, 8, out);
    put_number(t->cause, 8, out);
    put_number(t->order, 8, out);
}

int device_save(const struct device_ops *ops, const void *dev, FILE *out)
{
    errno = 0;
    fwrite("VDEV", 1, 4, out);
    put_name(ops->name, out);
    put_number(ops->n_fields, 4, out);
    for (size_t i = 0; i < ops->n_fields; i++) {
        const struct field *f = &ops->fields[i];
        put_name(f->name, out);
        put_number(stored_bytes(f), 1, out);
        put_number(stored_count(f), 4, out);
        for (unsigned k = 0; k < f->count; k++)
            if (is_timer(f))
                put_timer(timer_at(f, dev, k), out);
            else
                put_number(field_get(f, dev, k), f->size, out);
    }
    if (fflush(out) || ferror(out))
        return errno ? -errno : -EIO;
    return 0;
}

/* ---- loaded ---- */

/* A little-endian number of `bytes`; false at the end of the file. */
static bool get_number(FILE *in, unsigned bytes, uint64_t *v)
{
    *v = 0;
    for (unsigned i = 0; i < bytes; i++) {
        int c = getc_unlocked(in);
        if (c == EOF)
            return false;
        *v |= (uint64_t)c << (8 * i);
    }
    return true;
}

static bool get_this_number(FILE *in, unsigned bytes, uint64_t wanted)
{
    uint64_t v;
    return get_number(in, bytes, &v) && v == wanted;
}

static bool get_this_text(FILE *in, const char *text)
{
    for (; *text; text++)
        if (getc_unlocked(in) != (unsigned char)*text)
            return false;
    return true;
}

static bool get_this_name(FILE *in, const char *name)
{
    return get_this_number(in, 1, strlen(name)) && get_this_text(in, name);
}

/* All elements of all fields into `v`, in order; false if the file is another's. */
static bool read_state(const struct device_ops *ops, FILE *in, uint64_t *v)
{
    if (!get_this_text(in, "VDEV") || !get_this_name(in, ops->name) ||
        !get_this_number(in, 4, ops->n_fields))
        return false;
    for (size_t i = 0; i < ops->n_fields; i++) {
        const struct field *f = &ops->fields[i];
        if (!get_this_name(in, f->name) || !get_this_number(in, 1, stored_bytes(f)) ||
            !get_this_number(in, 4, stored_count(f)))
            return false;
        for (unsigned k = 0; k < stored_count(f); k++)
            if (!get_number(in, stored_bytes(f), v++))
                return false;
    }
    return true;
}

/* Settling may have armed a timer anew: where it came to the same, it is the one
 * that was saved, by number and by rank. */
static void restore_timer(struct vtimer *t, const uint64_t v[TIMER_VALUES])
{
    if (t->deadline_ns == v[0])
        vtimer_restore(t, v[0], (uint32_t)v[1], v[2], v[3]);
}

/* Values in the table's order into the device: everything, or only its timers' ranks. */
static void take_over(const struct device_ops *ops, void *dev, const uint64_t *v, bool ranks)
{
    for (size_t i = 0; i < ops->n_fields; i++) {
        const struct field *f = &ops->fields[i];
        for (unsigned k = 0; k < f->count; k++, v += is_timer(f) ? TIMER_VALUES : 1)
            if (!ranks)
                field_set(f, dev, k, v[0]);
            else if (is_timer(f))
                restore_timer(timer_at(f, dev, k), v);
    }
}

/* In three steps: everything is read and compared; taken over, and the device settles; timers get
 * back the rank they had among timers of the same time, so that they fire in the same order. */
int device_load(const struct device_ops *ops, void *dev, FILE *in)
{
    size_t n = 0;
    for (size_t i = 0; i < ops->n_fields; i++)
        n += stored_count(&ops->fields[i]);
    uint64_t *values = calloc(n + 1, sizeof *values);
    if (!values)
        return -ENOMEM;
    if (!read_state(ops, in, values)) {
        free(values);
        return -EINVAL;
    }
    take_over(ops, dev, values, false);
    if (ops->after_load)
        ops->after_load(dev);
    take_over(ops, dev, values, true);
    free(values);
    return 0;
}
