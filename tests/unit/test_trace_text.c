/*
 * Events as text, as JSON and as reasons; addresses as symbols.
 *   run    make unit
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/trace.h"
#include "cpu/exit.h"
#include "cpu/insn_event.h"
#include "debugger/symbols/kallsyms.h"
#include "debugger/symbols/orc.h"
#include "debugger/symbols/symbols.h"
#include "debugger/trace/text.h"
#include "debugger/trace/why.h"

static const char *name_engine(const void *arg, unsigned engine)
{
    (void)arg;
    return engine == 0 ? "soft" : engine == 1 ? "kvm" : "?";
}

static const struct trace_text words = { .engine_name = name_engine };

static void expect_args(enum trace_kind kind, uint64_t a0, uint64_t a1, uint64_t a2, const char *want)
{
    char buf[300];
    struct trace_event e = { .seq = 1, .kind = (uint8_t)kind, .arg = { a0, a1, a2 } };
    assert_string_equal(trace_text_args(&words, &e, buf, sizeof buf), want);
}

static void arguments_have_names_and_words(void **state)
{
    (void)state;
    expect_args(TRACE_EXIT, EXIT_IO, 0x03f80000, 0x41, "IO out 0x3f8 size 1 value 0x41");
    expect_args(TRACE_EXIT, 0x7777, 1, 2, "? reason 0x7777");
    expect_args(TRACE_RESUME, RETRY, 0x1000, 250, "verdict RETRY rip 0x1000 host_ns 250");
    expect_args(TRACE_RESUME, 9, 0, 0, "verdict 0x9 rip 0x0 host_ns 0");
    expect_args(TRACE_START, 1, 1, 42, "engine kvm mmu shadow seed 42");
    expect_args(TRACE_NESTED_FILL, 0x5000, 4096, 7, "gpa 0x5000 size 4096 perm rwx");
    expect_args(TRACE_UNCLAIMED, 0x80, 1, 1, "address 0x80 size 1 write yes");
    expect_args(TRACE_INJECT, 0x20, 0, EVENT_IRQ, "vector 0x20 error 0x0 type IRQ");
    expect_args(TRACE_STOP, 0, 1, 9, "status 0 why EXIT_PORT exits 9");
    expect_args(TRACE_MODE, 0, 3, 0, "from REAL to PROT32");
    expect_args(TRACE_MARK, 3, 0, 0, "n 3");
    expect_args((enum trace_kind)200, 1, 2, 3, "0x1 0x2 0x3 (a kind this program does not know)");
}

static char *written(void (*fn)(FILE *, const struct trace_event *), const struct trace_event *e)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    fn(f, e);
    fclose(f);
    return text;
}

static void as_line(FILE *f, const struct trace_event *e) { trace_text_line(&words, e, f); }
static void as_json(FILE *f, const struct trace_event *e) { trace_text_json(&words, e, f); }

static const struct trace_event an_exit = {
    .seq = 12, .vtime_ns = 1000000345, .icount = 345, .place = 0x1000, .cs = 8,
    .kind = TRACE_EXIT,
    .arg = { EXIT_IO, 0x03f80000, 0x41 }, .cause_back = 2,
};

/* In real mode, behind a jump to 07c0:0009. */
static const struct trace_event in_segment = {
    .seq = 13, .vtime_ns = 5, .place = UINT64_C(0x7c00) << 32 | 0x7c09, .cs = 0x7c0,
    .who.segmented = 1, .kind = TRACE_MARK, .arg = { 2 },
};

static void a_place_in_a_segment_is_cs_and_ip(void **state)
{
    (void)state;
    char *line = written(as_line, &in_segment), *json = written(as_json, &in_segment);
    assert_string_equal(line, "        13    0.000000005    07c0:0009           vm   MARK         n 2\n");
    assert_non_null(strstr(json, "\"rip\":\"0x7c09\",\"cs\":\"0x7c0\",\"vcpu\":0,\"place\":\"07c0:0009\""));
    free(line);
    free(json);
}

static void a_line_has_its_columns(void **state)
{
    (void)state;
    char *text = written(as_line, &an_exit);
    assert_string_equal(text, "        12    1.000000345         1000       10  cpu  EXIT         "
                              "IO out 0x3f8 size 1 value 0x41\n");
    free(text);
}

static void json_is_one_object_on_a_line(void **state)
{
    (void)state;
    char *text = written(as_json, &an_exit);
    assert_string_equal(text, "{\"seq\":12,\"vtime_ns\":1000000345,\"icount\":345,\"rip\":\"0x1000\","
        "\"cs\":\"0x8\",\"vcpu\":0,\"engine_name\":\"soft\",\"layer\":\"cpu\",\"kind\":\"EXIT\",\"cause\":10,"
        "\"reason\":\"IO\",\"qual\":\"0x3f80000\",\"extra\":\"0x41\","
        "\"text\":\"IO out 0x3f8 size 1 value 0x41\"}\n");
    free(text);
}

/* Every kind with any values: never a line break or a quote inside a value. */
static void any_event_is_one_line(void **state)
{
    (void)state;
    static const uint64_t values[] = { 0, 1, 7, ~UINT64_C(0) };
    for (unsigned kind = 0; kind < 256; kind++)
        for (size_t i = 0; i < NELEM(values); i++) {
            struct trace_event e = { .seq = values[i], .kind = (uint8_t)kind,
                .arg = { values[i], values[i], values[i] }, .place = values[i],
                .vtime_ns = values[i], .who = { values[i] & 1, values[i] & 7, values[i] & 15 } };
            char *line = written(as_line, &e), *json = written(as_json, &e);
            assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
            assert_ptr_equal(strchr(json, '\n'), json + strlen(json) - 1);
            free(line);
            free(json);
        }
}

/* The story of a byte that made an interrupt. */
static const struct trace_event story[] = {
    { .seq = 1, .kind = TRACE_EXIT, .arg = { EXIT_IO, 0x03f80000, 0x41 } },
    { .seq = 2, .kind = TRACE_IO_WRITE, .arg = { 0x3f8, 1, 0x41 }, .cause_back = 1 },
    { .seq = 3, .kind = TRACE_IRQ_LINE, .arg = { 4, 1, 0 }, .cause_back = 1 },
    { .seq = 4, .kind = TRACE_INJECT, .arg = { 0x24, 0, 1 }, .cause_back = 1 },
    { .seq = 5, .kind = TRACE_DELIVER, .arg = { 0x24, 0x2000, 0 }, .cause_back = 1 },
};

static int find_in_story(const void *arg, uint64_t seq, struct trace_event *e)
{
    if (seq < 1 || seq > NELEM(story) || seq == *(const uint64_t *)arg)
        return -ENOENT;
    *e = story[seq - 1];
    return 0;
}

static uint64_t missing;

static void as_why(FILE *f, const struct trace_event *e)
{
    trace_why(&words, e, find_in_story, &missing, f);
}

static void why_goes_back_to_the_beginning(void **state)
{
    (void)state;
    missing = 0;
    char *text = written(as_why, &story[4]);
    const char *at = text;
    static const char *const order[] = { "DELIVER", "because event 4", "INJECT", "because event 3",
        "because event 2", "because event 1", "IO out 0x3f8", "answers no other event" };
    for (size_t i = 0; i < NELEM(order); i++) {
        at = strstr(at, order[i]);
        if (!at)
            fail_msg("no \"%s\" in its place in\n%s", order[i], text);
    }
    free(text);
    missing = 2;
    text = written(as_why, &story[4]);
    assert_non_null(strstr(text, "event 2, which is not in this trace"));
    free(text);
}

static struct trace *recent_ring;
static void as_recent(FILE *f, const struct trace_event *e)
{
    (void)e;
    trace_text_recent(recent_ring, 3, f);
}

static void recent_shows_the_last_ones_read_or_not(void **state)
{
    (void)state;
    recent_ring = trace_new(4);
    char *text = written(as_recent, NULL);
    assert_string_equal(text, "");
    free(text);
    recent_ring->mask = ~UINT64_C(0);
    for (unsigned i = 1; i <= 6; i++) {
        trace_emit(recent_ring, TRACE_MARK, 100 + i, 0, 0);
        recent_ring->ring->tail = i;
    }
    text = written(as_recent, NULL);
    assert_null(strstr(text, "n 103"));
    assert_non_null(strstr(text, "n 104"));
    assert_non_null(strstr(text, "n 106"));
    free(text);
    trace_free(recent_ring);
}

extern const char __executable_start[];

static void our_own_symbols_are_found(void **state)
{
    (void)state;
    char why[200] = "", buf[100];
    struct symbols *s = symbols_open("/proc/self/exe", why, sizeof why);
    if (!s)
        fail_msg("%s", why);
    /* A position-independent program is linked at 0. */
    uint64_t here = (uint64_t)(uintptr_t)our_own_symbols_are_found - (uint64_t)(uintptr_t)__executable_start;
    uint64_t offset = 1;
    assert_string_equal(symbols_find(s, here, &offset), "our_own_symbols_are_found");
    assert_int_equal(offset, 0);
    assert_string_equal(symbols_format(s, here + 1, buf, sizeof buf), "our_own_symbols_are_found+0x1");
    assert_string_equal(symbols_format(s, ~UINT64_C(0), buf, sizeof buf), "");
    assert_string_equal(symbols_format(NULL, here, buf, sizeof buf), "");
    symbols_close(s);
}

static void what_has_no_symbols_is_refused(void **state)
{
    (void)state;
    char why[200] = "";
    assert_null(symbols_open("/nonexistent", why, sizeof why));
    assert_string_equal(why, "No such file or directory");
    assert_null(symbols_open("/dev/null", why, sizeof why));
    assert_string_equal(why, "it is neither an ELF file nor a list of symbols as System.map is");
    assert_null(symbols_open("/tmp", why, sizeof why));
}

/* As scripts/kallsyms.c lays it out, with tokens that stand for themselves but one: 128 is "do_". */
struct kernel_image { uint8_t bytes[65536]; size_t n, offsets, names, markers, table, index; };

static void put(struct kernel_image *k, const void *bytes, size_t n)
{
    memcpy(k->bytes + k->n, bytes, n);
    k->n += n;
}

static void align(struct kernel_image *k)
{
    k->n = (k->n + 7) & ~(size_t)7;
}

enum { N_KERNEL_SYMBOLS = 700 };

static void build_kernel(struct kernel_image *k)
{
    uint32_t marker[3], n = N_KERNEL_SYMBOLS;
    uint64_t base = 0xffffffff81000000;
    char name[40];
    *k = (struct kernel_image){ .n = 4096 };
    memset(k->bytes, 0xcc, k->n);
    k->offsets = k->n;
    for (int32_t i = 0; i < N_KERNEL_SYMBOLS; i++) {
        int32_t offset = i ? -1 - 16 * i : 0x1000;      /* the first is absolute */
        put(k, &offset, 4);
    }
    align(k);
    put(k, &base, 8);
    put(k, &n, 4);
    align(k);
    k->names = k->n;
    for (unsigned i = 0; i < n; i++) {
        if (i % 256 == 0)
            marker[i / 256] = (uint32_t)(k->n - k->names);
        uint8_t len = (uint8_t)(2 + snprintf(name, sizeof name, "f%u", i));
        put(k, &len, 1);
        put(k, i ? "T\x80" : "A\x80", 2);
        put(k, name, len - 2u);
    }
    align(k);
    k->markers = k->n;
    put(k, marker, sizeof marker);
    align(k);
    k->table = k->n;
    uint16_t index[256];
    for (unsigned i = 0; i < 256; i++) {
        char self[2] = { (char)(i > 32 && i < 127 ? i : '?') };
        index[i] = (uint16_t)(k->n - k->table);
        put(k, i == 128 ? "do_" : self, i == 128 ? 4 : 2);
    }
    align(k);
    k->index = k->n;
    put(k, index, sizeof index);
    k->n += 4096;
}

static void a_kernel_tells_its_own_names(void **state)
{
    static struct kernel_image k;
    char why[200], buf[100];
    uint64_t start, end;
    (void)state;
    build_kernel(&k);
    struct symbols *s = kallsyms_find(k.bytes, k.n, why, sizeof why);
    if (!s)
        print_message("%s\n", why);
    assert_non_null(s);
    assert_int_equal(symbols_count(s), N_KERNEL_SYMBOLS - 1);
    assert_string_equal(symbols_format(s, 0xffffffff81000000 + 16 * 300 + 2, buf, sizeof buf), "do_f300+0x2");
    assert_true(symbols_extent(s, "do_f699", 7, &start, &end));
    assert_int_equal(start, 0xffffffff81000000 + 16 * 699);
    symbols_close(s);
}

static void a_broken_kernel_does_no_harm(void **state)
{
    static struct kernel_image k;
    char why[200];
    (void)state;
    build_kernel(&k);
    for (size_t n = 0; n < k.n; n += 97)                /* cut off */
        symbols_close(kallsyms_find(k.bytes, n, why, sizeof why));
    srandom(1);
    for (unsigned i = 0; i < 2000; i++) {
        build_kernel(&k);
        for (unsigned j = 0; j < 4; j++)
            k.bytes[k.offsets + (size_t)random() % (k.n - k.offsets)] = (uint8_t)random();
        symbols_close(kallsyms_find(k.bytes, k.n, why, sizeof why));
    }
    memset(k.bytes, 0, sizeof k.bytes);
    assert_null(kallsyms_find(k.bytes, sizeof k.bytes, why, sizeof why));
}

/* A kernel at 2 MiB with ORC tables of two entries, and a stack: linear address = physical + KERNEL. */
#define KERNEL 0xffffffff80000000
enum { IP = 0x201000, ENTRIES = 0x202000, STACK = 0x203000, TOP = 0x204000 };
static uint8_t memory[TOP];

static int orc_physical(void *arg, uint64_t gpa, void *buf, size_t n)
{
    (void)arg;
    if (gpa > TOP || n > TOP - gpa)
        return -EFAULT;
    memcpy(buf, memory + gpa, n);
    return 0;
}

static int orc_linear(void *arg, bool physical, uint64_t at, void *buf, unsigned n)
{
    return orc_physical(arg, physical ? at : at - KERNEL, buf, n);
}

static void put_entry(unsigned i, uint32_t gpa, int16_t sp_offset, unsigned sp_reg, unsigned type)
{
    int32_t ip = (int32_t)(gpa - (IP + 4 * i));
    memcpy(memory + IP + 4 * i, &ip, 4);
    memcpy(memory + ENTRIES + 6 * i, &sp_offset, 2);
    memory[ENTRIES + 6 * i + 4] = (uint8_t)sp_reg;
    memory[ENTRIES + 6 * i + 5] = (uint8_t)type;
}

static struct symbols *orc_symbols(void)
{
    struct symbols *s = symbols_new();
    symbols_add_typed(s, KERNEL + 0x200000, 'T', "_text");
    symbols_add_typed(s, KERNEL + 0x200100, 'T', "entry");
    symbols_add_typed(s, KERNEL + IP, 'r', "__start_orc_unwind_ip");
    symbols_add_typed(s, KERNEL + ENTRIES, 'r', "__start_orc_unwind");
    symbols_add_typed(s, KERNEL + ENTRIES + 12, 'r', "__stop_orc_unwind");
    symbols_settle(s);
    return s;
}

/* Two labels at one address: the table names the address by one, and finds it by both. */
static void an_address_has_two_names(void **state)
{
    struct symbols *s = symbols_new();
    uint64_t start, end, offset;
    (void)state;
    symbols_add_typed(s, 0x1000, 'T', "entry");
    symbols_add_typed(s, 0x1000, 't', "also_entry");
    symbols_add_typed(s, 0x1000, 't', "here");
    symbols_add_typed(s, 0x1010, 't', "next");
    symbols_settle(s);
    assert_int_equal(symbols_count(s), 2);
    assert_string_equal(symbols_find(s, 0x1004, &offset), "entry");
    symbols_shift(s, 0x400000);
    static const char *const names[] = { "entry", "also_entry", "here" };
    for (size_t i = 0; i < NELEM(names); i++) {
        assert_true(symbols_extent(s, names[i], strlen(names[i]), &start, &end));
        assert_int_equal(start, 0x401000);
        assert_int_equal(end, 0x401010);
    }
    assert_false(symbols_extent(s, "her", 3, &start, &end));
    assert_false(symbols_extent(s, "heres", 5, &start, &end));
    symbols_close(s);
}

static void a_kernel_tells_who_called(void **state)
{
    struct symbols *s = orc_symbols();
    struct cpu_state cpu = { .rip = KERNEL + 0x200008, .gpr[RSP] = KERNEL + STACK };
    uint64_t stack[] = { 1, KERNEL + 0x200108, 2, 0x401000, 0x33, 0x202, 0x7fff1000, 0x2b };
    struct frame f, caller, user;
    (void)state;
    put_entry(0, 0x200000, 16, 5, 0);           /* a function: RSP + 16, called */
    put_entry(1, 0x200100, 8, 5, 2);            /* an entry: what the CPU pushed at RSP + 8 */
    memcpy(memory + STACK, stack, sizeof stack);
    struct orc *o = orc_load(s, orc_physical, NULL, TOP);
    assert_non_null(o);
    struct expr_machine m = { .cpu = &cpu, .symbols = s, .orc = o, .read = orc_linear };
    f = (struct frame){ .pc = KERNEL + 0x200008, .known = 1u << 7 | 1u << 16 };
    f.reg[7] = KERNEL + STACK;
    f.cfa = orc_cfa(o, &m, &f);
    assert_int_equal(f.cfa, KERNEL + STACK + 16);
    assert_true(frame_caller(&m, &f, &caller));
    assert_int_equal(caller.pc, KERNEL + 0x200108);
    assert_true(frame_caller(&m, &caller, &user));
    assert_int_equal(user.pc, 0x401000);
    assert_int_equal(user.reg[7], 0x7fff1000);
    assert_true(user.interrupted);
    orc_close(o);
    memset(memory + IP, 0xcc, 8);               /* no table */
    assert_null(orc_load(s, orc_physical, NULL, TOP));
    srandom(2);
    for (unsigned i = 0; i < 20000; i++) {      /* any entries, any stack */
        put_entry(0, 0x200000, (int16_t)random(), (unsigned)random(), (unsigned)random());
        put_entry(1, 0x200100, (int16_t)random(), (unsigned)random(), (unsigned)random());
        assert_non_null(o = orc_load(s, orc_physical, NULL, TOP));
        m.orc = o;
        struct frame at = f;
        at.known = 0x1ffff;
        at.cfa = orc_cfa(o, &m, &at);
        for (unsigned n = 0; n < 10 && frame_caller(&m, &at, &caller); n++)
            at = caller;
        orc_close(o);
    }
    symbols_close(s);
}

static void symbols_are_saved(void **state)
{
    char why[200], buf[100], path[] = "/tmp/vitrine-symbols-XXXXXX";
    struct symbols *s = orc_symbols();
    (void)state;
    close(mkstemp(path));
    assert_true(symbols_save(s, path, why, sizeof why));
    struct symbols *again = symbols_open(path, why, sizeof why);
    unlink(path);
    assert_non_null(again);
    assert_int_equal(symbols_count(again), symbols_count(s));
    assert_string_equal(symbols_format(again, KERNEL + 0x200102, buf, sizeof buf), "entry+0x2");
    assert_false(symbols_save(s, "/nonexistent/file", why, sizeof why));
    assert_false(symbols_save(NULL, path, why, sizeof why));
    symbols_close(again);
    symbols_close(s);
}

static void symbols_from_text(void **state)
{
    static const char text[] = "ffffffff81000000 T _stext\nffffffff81000010 t local\nffffffff81000010 T global\n"
                               "0000000000001000 A absolute\nffffffff82000000 D jiffies\n";
    char path[] = "/tmp/vitrine-test-map-XXXXXX", why[200], buf[100];
    uint64_t start, end;
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0 && write(fd, text, sizeof text - 1) == sizeof text - 1);
    close(fd);
    struct symbols *s = symbols_open(path, why, sizeof why);
    assert_non_null(s);
    assert_int_equal(symbols_count(s), 3);
    assert_string_equal(symbols_format(s, 0xffffffff81000012, buf, sizeof buf), "global+0x2");
    assert_string_equal(symbols_format(s, 0xffffffff83000000, buf, sizeof buf), "");
    symbols_shift(s, 0x1000000);
    assert_true(symbols_extent(s, "jiffies", 7, &start, &end) && start == 0xffffffff83000000);
    assert_false(symbols_extent(s, "jiffie", 6, &start, &end));
    symbols_close(s);
    /* What Debian puts in its place. */
    FILE *f = fopen(path, "w");
    fputs("ffffffffffffffff B The real System.map is in the linux-image-dbg package\n", f);
    fclose(f);
    assert_null(symbols_open(path, why, sizeof why));
    unlink(path);
}

/* Our own program, cut off or with bytes of its section headers changed. */
static void hostile_elfs_do_no_harm(void **state)
{
    (void)state;
    static uint8_t elf[8 << 20];
    char why[200], path[40];
    FILE *f = fopen("/proc/self/exe", "rb");
    assert_non_null(f);
    size_t n = fread(elf, 1, sizeof elf, f);
    fclose(f);
    uint64_t shoff;
    memcpy(&shoff, elf + 0x28, 8);
    int fd = memfd_create("elf", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (unsigned i = 0; i < 300; i++) {
        size_t len = i < 40 ? n * i / 40 : n;
        uint64_t at = i < 100 ? i % 64 : shoff + (i * 37) % 2400;
        uint8_t old = at < n ? elf[at] : 0;
        if (i >= 40 && at < n)
            elf[at] = (uint8_t)(old + 1 + i * 101);
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, elf, len, 0), len);
        struct symbols *s = symbols_open(path, why, sizeof why);
        for (uint64_t a = 0; s && a < 0x4000; a += 64)
            symbols_format(s, a, why, sizeof why);
        symbols_close(s);
        if (at < n)
            elf[at] = old;
    }
    close(fd);
}

/* What an INSN says comes out of its three words as it was put in. */
static void an_insn_event_keeps_what_it_was_given(void **state)
{
    (void)state;
    static const unsigned bits[] = { 0, 16, 32, 64 };
    for (unsigned n = 0; n <= 15; n++) {
        struct insn_event in = { .changed = n % 2 ? n : (unsigned)TRACE_NO_REGISTER, .len = n,
                                 .bits = bits[n % 4], .value = UINT64_MAX - n, .rflags = 0x3f7fd7 };
        struct insn_event out;
        struct trace_event e = { .kind = TRACE_INSN };
        for (unsigned k = 0; k < INSN_EVENT_BYTES && k < n; k++)
            in.bytes[k] = (uint8_t)(0xff - k);
        insn_event_pack(&in, e.arg);
        insn_event_unpack(&e, &out);
        assert_memory_equal(&in, &out, sizeof in);
        struct trace_event plain = insn_event_plain(&e);
        assert_int_equal(plain.arg[0], in.changed);
        assert_int_equal(plain.arg[2], in.rflags);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_insn_event_keeps_what_it_was_given),
        cmocka_unit_test(arguments_have_names_and_words),
        cmocka_unit_test(a_line_has_its_columns),
        cmocka_unit_test(a_place_in_a_segment_is_cs_and_ip),
        cmocka_unit_test(json_is_one_object_on_a_line),
        cmocka_unit_test(any_event_is_one_line),
        cmocka_unit_test(why_goes_back_to_the_beginning),
        cmocka_unit_test(recent_shows_the_last_ones_read_or_not),
        cmocka_unit_test(our_own_symbols_are_found),
        cmocka_unit_test(what_has_no_symbols_is_refused),
        cmocka_unit_test(symbols_from_text),
        cmocka_unit_test(a_kernel_tells_its_own_names),
        cmocka_unit_test(a_broken_kernel_does_no_harm),
        cmocka_unit_test(an_address_has_two_names),
        cmocka_unit_test(a_kernel_tells_who_called),
        cmocka_unit_test(symbols_are_saved),
        cmocka_unit_test(hostile_elfs_do_no_harm),
    };
    return cmocka_run_group_tests_name("trace text", tests, NULL, NULL);
}
