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
#include "world.h"

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

struct image { size_t n; uint8_t bytes[8192]; };

/* Into the image itself, which is large enough for any device: nothing is allocated. */
static size_t save(const struct device_ops *ops, const void *dev, struct image *i)
{
    struct bytes_out o = { .data = i->bytes, .room = sizeof i->bytes };
    device_save(ops, dev, &o);
    check_same(!o.bad && o.data == i->bytes, "cannot be saved", ops);
    return i->n = o.n;
}

static void load(struct board *b, int part, const struct image *i)
{
    struct bytes_in in = { i->bytes, i->bytes + i->n, false };
    device_load(b->part[part].ops, b->part[part].dev, &in);
}

static struct image one, two;

/* Save, load into the same device, save: nothing may have changed. */
static void roundtrip(struct board *b, int part)
{
    const struct device_ops *ops = b->part[part].ops;
    size_t n = save(ops, b->part[part].dev, &one);
    load(b, part, &one);
    size_t m = save(ops, b->part[part].dev, &two);
    check_same(n == m && !memcmp(one.bytes, two.bytes, n), "loading what was saved changed it", ops);
}

/* A well-formed file with wrong numbers in it. */
static void load_nonsense(struct board *b, int part, struct input *in)
{
    size_t n = save(b->part[part].ops, b->part[part].dev, &one);
    for (unsigned i = take(in) % 8; i > 0; i--) {
        size_t at = (size_t)(take(in) << 8 | take(in)) % n;
        one.bytes[at] = take(in);
    }
    load(b, part, &one);
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
    int some = part < N_BOARD_PARTS ? part : (op >> 4) % N_BOARD_PARTS;
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
        roundtrip(b, some);
        break;
    case 14:
        load_nonsense(b, some, in);
        break;
    default:
        if (op == 0xff)
            b->part[some].ops->reset(b->part[some].dev);
        else
            rewire(b, in);
        break;
    }
}

/* Show the device that was busy; if all were, one of them, by the input's length: to show all
 * takes longer than most inputs. */
static void look(struct board *b, int part)
{
    static uint8_t vram[VGA_VRAM_BYTES];
    static FILE *nowhere;
    unsigned hz;
    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    device_show(b->part[part].ops, b->part[part].dev, nowhere);
    if (part == B_VGA)
        vga_text_dump(b->part[B_VGA].dev, vram, nowhere);
    pit_speaker(b->part[B_PIT].dev, &hz);
}

static struct board *make(void)
{
    struct board *b = board_new();
    start_pics(b);
    return b;
}

static void run(struct board *b, const uint8_t *data, size_t size)
{
    struct input in = { data, size < 4096 ? size : 4096 };
    int part = take(&in) % (N_BOARD_PARTS + 1);
    while (in.left)
        step(b, part, &in);
    look(b, part < N_BOARD_PARTS ? part : (int)(size % N_BOARD_PARTS));
}

/* ---- the same, whatever ran before? ---- */

/* A number for the end: the newest events since it was made, all state, all that went out. */
static uint64_t sum_up(const struct board *b, uint64_t first)
{
    const struct trace_ring *r = b->trace->ring;
    uint64_t sum = world_sum(r->head, b->out, b->n_out);
    for (uint64_t seq = r->head; seq > first && r->head - seq < r->size; seq--)
        sum = world_sum(sum, &r->event[seq & (r->size - 1)], sizeof r->event[0]);
    for (int i = 0; i < N_BOARD_PARTS; i++)
        sum = world_sum(sum, one.bytes, save(b->part[i].ops, b->part[i].dev, &one));
    return sum;
}

static uint64_t run_fresh_and_sum(const uint8_t *data, size_t size)
{
    struct board *b = make();
    uint64_t first = b->trace->ring->head;
    run(b, data, size);
    uint64_t sum = sum_up(b, first);
    board_free(b);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    static struct board *b;
    static struct trace_ring ring;          /* its head, as it is at first */
    if (!b) {
        run_fresh_and_sum(data, 0);         /* streams get their buffers, which stay */
        save(&pic_ops, (b = make())->part[B_PIC].dev, &two);
        board_free(b);
        world_begin(&world);
        b = make();
        world_end(&world, NULL, NULL);
        ring = *b->trace->ring;
    }
    world_enter(&world);
    run(b, data, size);
    uint64_t sum = world_check_due() ? sum_up(b, ring.head) : 0;
    bug_if(!world_put_back(&world), "a device has freed what its constructor made");
    *b->trace->ring = ring;
    bug_if(sum && sum != run_fresh_and_sum(data, size), "the end depends on the inputs before");
    return 0;
}
