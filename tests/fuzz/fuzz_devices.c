/*
 * tests/fuzz/fuzz_devices.c -- a guest that knows no manners, for every device.
 *
 * The input is a program of small steps: port accesses of any size, time that
 * passes, bytes and keys from outside, interrupts acknowledged, ranges of the
 * bus that move, resets, and states loaded from nonsense.  The first byte chooses one device to be busy
 * with, or all of them.
 *
 *   run   make fuzz            (each target for FUZZ_SECONDS)
 *
 * Beyond crashes and sanitizer reports it fails if a peek changes a single
 * byte of a device's struct, if it does not say what the next read says, or
 * if a saved device loaded again is not the same.
 */
#include "../unit/board.h"

#define MAX_TIMERS_FIRED 500    /* then the clock jumps, as on a host that was suspended */

struct input { const uint8_t *at; size_t left; };

static uint8_t take(struct input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->at++;
}

static void check_same(bool same, const char *what, const struct device_ops *ops)
{
    if (same)
        return;
    fprintf(stderr, "%s: %s\n", ops->name, what);
    abort();
}

/* Peek all around, and see that nothing moved; that a read gives what peek
 * said is checked by the bus itself. */
static void peek_all(struct board *b, uint64_t port)
{
    const struct bus_range *r = bus_find(b->bus, port);
    uint8_t before[4096];
    if (!r)
        return;
    memcpy(before, r->dev, r->ops->state_bytes);
    for (uint64_t at = r->base; at < r->base + r->len; at++) {
        uint64_t value;
        bus_peek(b->bus, from_debugger(0), at, 1, &value);
    }
    check_same(!memcmp(before, r->dev, r->ops->state_bytes), "a peek changed it", r->ops);
}

static void advance(struct board *b, unsigned log_ns)
{
    uint64_t end = vclock_now_ns(b->clock) + (UINT64_C(1) << log_ns % 42);
    uint64_t next;
    for (int i = 0; i < MAX_TIMERS_FIRED && (next = vclock_next_ns(b->clock)) <= end; i++) {
        vclock_set_ns(b->clock, next);
        vclock_run_due(b->clock);
    }
    vclock_set_ns(b->clock, end);
    vclock_run_due(b->clock);
}

static size_t save(const struct device_ops *ops, const void *dev, char *buf, size_t n)
{
    FILE *f = fmemopen(buf, n, "w");
    int err = device_save(ops, dev, f);
    size_t bytes = (size_t)ftell(f);
    fclose(f);
    check_same(err == 0, "cannot be saved", ops);
    return bytes;
}

static void load(struct board *b, int part, char *buf, size_t n)
{
    FILE *f = fmemopen(buf, n, "r");
    device_load(b->part[part].ops, b->part[part].dev, f);
    fclose(f);
}

/* Save, load into the same device, save: nothing may have changed. */
static void roundtrip(struct board *b, int part)
{
    char one[8192] = { 0 }, two[8192] = { 0 };
    const struct device_ops *ops = b->part[part].ops;
    size_t n = save(ops, b->part[part].dev, one, sizeof one);
    load(b, part, one, n);
    size_t m = save(ops, b->part[part].dev, two, sizeof two);
    check_same(n == m && !memcmp(one, two, n), "loading what was saved changed it", ops);
}

/* A well-formed file with wrong numbers in it. */
static void load_nonsense(struct board *b, int part, struct input *in)
{
    char buf[8192];
    size_t n = save(b->part[part].ops, b->part[part].dev, buf, sizeof buf);
    for (unsigned i = take(in) % 8; i > 0; i--) {
        size_t at = (size_t)(take(in) << 8 | take(in)) % n;
        buf[at] = (char)take(in);
    }
    load(b, part, buf, n);
}

static void access_port(struct board *b, int part, struct input *in, bool write)
{
    uint8_t how = take(in);
    size_t n = bus_count(b->bus), i = take(in) % n;
    unsigned size = 1u << how % 3;
    uint64_t value = 0;
    if (part < N_BOARD_PARTS)       /* busy with one device: skip to a range of its own */
        for (size_t k = 0; k < n && bus_range_at(b->bus, i)->dev != b->part[part].dev; k++)
            i = (i + 1) % n;
    const struct bus_range *r = bus_range_at(b->bus, i);
    uint64_t port = r->base + (how >> 2) % r->len;
    peek_all(b, port);
    if (!write) {
        bus_read(b->bus, from_cpu(0), port, size, &value);
        return;
    }
    for (unsigned k = 0; k < size; k++)
        value = value << 8 | take(in);
    bus_write(b->bus, from_cpu(0), port, size, value);
}

static void from_outside(struct board *b, struct input *in)
{
    uint8_t what = take(in);
    switch (what % 8) {
    case 0: uart_receive(b->part[B_UART].dev, take(in)); break;
    case 1: uart_receive_forced(b->part[B_UART].dev, take(in)); break;
    case 2: uart_receive_break(b->part[B_UART].dev); break;
    case 3: keyboard_type(b->part[B_KBD].dev, (char)take(in)); break;
    case 4: i8042_key(b->part[B_KBD].dev, (uint16_t)(take(in) << 8 | what), what & 8); break;
    case 5: pic_ack(b->part[B_PIC].dev); break;
    case 6: rtc_set_memory(b->part[B_RTC].dev, UINT64_C(1) << what / 8, UINT64_C(1) << take(in) % 64); break;
    case 7: uart_flush(b->part[B_UART].dev); break;
    }
}

/* The UART at a second place, claimed, moved or released, as PCI devices do: the ranges must stay
 * in order and apart.  And a second source on some interrupt line. */
static void rewire(struct board *b, struct input *in)
{
    uint8_t what = take(in);
    uint64_t base = UINT64_C(0x1000) + take(in), to = UINT64_C(0x1000) + take(in);
    struct bus_range r = {
        .base = base, .len = what / 4 % 32 + 1, .ops = b->part[B_UART].ops,
        .dev = b->part[B_UART].dev, .why = "moves", .movable = true,
    };
    switch (what % 4) {
    case 0: bus_claim(b->bus, &r); break;
    case 1: bus_move(b->bus, base, to); break;
    case 2: bus_release(b->bus, base); break;
    default: irq_set(&b->shared, what & 4); break;
    }
    for (size_t i = 1; i < bus_count(b->bus); i++) {
        const struct bus_range *low = bus_range_at(b->bus, i - 1), *high = low + 1;
        check_same(low->base + low->len <= high->base, "its range overlaps another", high->ops);
    }
}

static void step(struct board *b, int part, struct input *in)
{
    uint8_t op = take(in);
    int one = part < N_BOARD_PARTS ? part : (op >> 4) % N_BOARD_PARTS;
    switch (op % 16) {
    case 0: case 1: case 2: case 3: case 4:
        access_port(b, part, in, true);
        break;
    case 5: case 6: case 7: case 8:
        access_port(b, part, in, false);
        break;
    case 9: case 10:
        advance(b, take(in));
        break;
    case 11: case 12:
        from_outside(b, in);
        break;
    case 13:
        roundtrip(b, one);
        break;
    case 14:
        load_nonsense(b, one, in);
        break;
    default:
        if (op == 0xff)
            b->part[one].ops->reset(b->part[one].dev);
        else
            rewire(b, in);
        break;
    }
}

static void look_at_all(struct board *b)
{
    static uint8_t vram[VGA_VRAM_BYTES];
    unsigned hz;
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    for (int i = 0; i < N_BOARD_PARTS; i++)
        device_show(b->part[i].ops, b->part[i].dev, f);
    vga_text_dump(b->part[B_VGA].dev, vram, f);
    pit_speaker(b->part[B_PIT].dev, &hz);
    fclose(f);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size < 4096 ? size : 4096 };
    int part = take(&in) % (N_BOARD_PARTS + 1);
    struct board *b = board_new();
    start_pics(b);
    while (in.left)
        step(b, part, &in);
    look_at_all(b);
    board_free(b);
    return 0;
}
