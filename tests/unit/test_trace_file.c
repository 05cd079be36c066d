/*
 * Trace files: what goes in comes out; a file cut off anywhere still gives
 * every whole block before the cut; damage and lies are told, never believed.
 *   run    make unit
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/trace.h"
#include "debugger/trace/columns.h"
#include "debugger/trace/drain.h"
#include "debugger/trace/file.h"
#include "debugger/trace/format.h"
#include "debugger/trace/ring.h"
#include "debugger/trace/store.h"
#include "path.h"
#include "trace_events.h"

/* Event i of the story that these tests write. */
static void emit(struct trace *t, uint64_t i)
{
    t->ctx = (struct trace_context){ .vtime_ns = 100 * i, .icount = 7 * i,
        .place = 0xffffffff80000000 + i * i, .cause = i > 3 ? i - 2 : 0, .who.engine = 1 };
    trace_emit(t, i % 5 ? TRACE_EXIT : TRACE_MARK, i * 0x123456789, ~i, i % 3);
}

/* A file of n events, a block after every `every`, or by a thread. */
static void write_file_by(uint64_t n, uint64_t every, bool has_thread)
{
    static const char *const engines[] = { "soft", "kvm", NULL };
    struct trace *t = trace_new(16);
    t->mask = ~UINT64_C(0);
    t->engine_names = engines;
    struct trace_writer *w = trace_writer_open(path, t, "guest=hello.elf\ntiming=0\n");
    assert_non_null(w);
    struct trace_drain d;
    trace_drain_attach(&d, t);
    trace_drain_add(&d, trace_writer_sink, w);
    if (has_thread)
        trace_drain_start(&d);
    for (uint64_t i = 1; i <= n; i++) {
        emit(t, i);
        if (every && i % every == 0) {
            trace_drain_run(&d);
            assert_int_equal(trace_writer_flush(w), 0);
        }
    }
    trace_drain_detach(&d);
    assert_int_equal(trace_writer_close(w), 0);
    trace_free(t);
}

static void write_file(uint64_t n, uint64_t every)
{
    write_file_by(n, every, false);
}

struct check { uint64_t next; };

static bool check_event(void *arg, const struct trace_event *e)
{
    struct check *c = arg;
    uint64_t i = c->next++;
    assert_int_equal(e->seq, i);
    assert_int_equal(e->vtime_ns, 100 * i);
    assert_int_equal(e->icount, 7 * i);
    assert_int_equal(e->place, 0xffffffff80000000 + i * i);
    assert_int_equal(e->kind, i % 5 ? TRACE_EXIT : TRACE_MARK);
    assert_int_equal(e->arg[0], i * 0x123456789);
    assert_int_equal(e->arg[1], ~i);
    assert_int_equal(e->arg[2], i % 3);
    assert_int_equal(e->cause_back, i > 3 ? 2 : 0);
    return true;
}

static struct trace_file *open_file(void)
{
    char why[200] = "";
    struct trace_file *f = trace_file_open(path, why, sizeof why);
    if (!f)
        fail_msg("%s", why);
    return f;
}

static uint64_t count_events(const struct trace_file *f)
{
    struct check c = { .next = 1 };
    assert_int_equal(each_event(f, check_event, &c), 0);
    return c.next - 1;
}

static void what_goes_in_comes_out(void **state)
{
    (void)state;
    static const uint64_t counts[] = { 0, 1, TRACE_BLOCK_EVENTS - 1, TRACE_BLOCK_EVENTS,
                                       TRACE_BLOCK_EVENTS + 1, 20000 };
    for (size_t i = 0; i < NELEM(counts); i++) {
        write_file(counts[i], 0);
        struct trace_file *f = open_file();
        assert_string_equal(trace_file_warning(f), "");
        assert_int_equal(trace_file_blocks(f), (counts[i] + TRACE_BLOCK_EVENTS - 1) / TRACE_BLOCK_EVENTS);
        assert_int_equal(count_events(f), counts[i]);
        trace_file_close(f);
    }
}

static void write_words(const char *first, const char *text)
{
    struct trace_writer *w = trace_writer_open(path, NULL, NULL);
    assert_non_null(w);
    trace_writer_words(w, first);
    trace_writer_words(w, text);
    assert_int_equal(trace_writer_close(w), 0);
}

/* The last text counts; what a terminal would obey does not come out; too long is cut. */
static void the_end_tells_why_the_run_ended(void **state)
{
    (void)state;
    char why[200] = "", *longer = calloc(1, 3 * TRACE_WORDS_MAX);
    write_words("other words", "Why: \033[31mred\n  a second line\n");
    struct trace_file *f = open_file();
    assert_true(trace_file_is_complete(f));
    assert_string_equal(trace_file_words(f), "Why: ?[31mred\n  a second line\n");
    trace_file_close(f);
    write_words("words", NULL);
    f = open_file();
    assert_null(trace_file_words(f));
    trace_file_close(f);
    write_words(NULL, memset(longer, 'x', 2 * TRACE_WORDS_MAX));
    f = open_file();
    assert_int_equal(strlen(trace_file_words(f)), TRACE_WORDS_MAX);
    trace_file_close(f);
    free(longer);
    write_words(NULL, "Why: damaged");
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "X", 1, lseek(fd, 0, SEEK_END) - 3), 1);
    close(fd);
    f = trace_file_open(path, why, sizeof why);
    assert_non_null(f);
    assert_null(trace_file_words(f));
    assert_true(trace_file_warning(f)[0]);
    trace_file_close(f);
}

static void the_header_tells_about_the_run(void **state)
{
    (void)state;
    write_file(3, 0);
    struct trace_file *f = open_file();
    assert_string_equal(trace_file_info(f, "guest"), "hello.elf");
    assert_string_equal(trace_file_info(f, "timing"), "0");
    assert_null(trace_file_info(f, "gues"));
    assert_string_equal(trace_file_engine(f, 1), "kvm");
    assert_string_equal(trace_file_engine(f, 2), "?");
    trace_file_close(f);
}

static void the_index_tells_what_is_in_a_block(void **state)
{
    (void)state;
    write_file(10, 4);
    struct trace_file *f = open_file();
    assert_int_equal(trace_file_blocks(f), 3);
    const struct trace_block *b = trace_file_block(f, 1);
    assert_int_equal(b->first_seq, 5);
    assert_int_equal(b->last_seq, 8);
    assert_int_equal(b->min_ns, 500);
    assert_int_equal(b->max_ns, 800);
    assert_int_equal(b->min_icount, 35);
    assert_int_equal(b->max_icount, 56);
    assert_int_equal(b->kinds, BIT(TRACE_EXIT) | BIT(TRACE_MARK));
    assert_int_equal(trace_file_block(f, 0)->kinds, BIT(TRACE_EXIT));
    assert_null(trace_file_block(f, 3));
    trace_file_close(f);
}

static void two_runs_give_the_same_bytes(void **state)
{
    (void)state;
    char cmd[300];
    write_file(50000, 0);
    snprintf(cmd, sizeof cmd, "cp %s %s.2", path, path);
    assert_int_equal(system(cmd), 0);
    for (unsigned i = 0; i < 5; i++) {
        write_file_by(50000, 0, i > 0);     /* a thread changes nothing */
        snprintf(cmd, sizeof cmd, "cmp %s %s.2", path, path);
        assert_int_equal(system(cmd), 0);
    }
    snprintf(cmd, sizeof cmd, "rm %s.2", path);
    assert_int_equal(system(cmd), 0);
}

static uint8_t *slurp(size_t *n)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    uint8_t *bytes = malloc(1 << 20);
    *n = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    return bytes;
}

/* Killed at any moment: all blocks before the cut are there, and the rest is reported. */
static void a_file_cut_anywhere_is_readable(void **state)
{
    (void)state;
    write_file(12, 3);
    size_t n, n_whole = 0, first;
    uint8_t *all = slurp(&n);
    struct trace_file *f = open_file();
    uint64_t at[5];
    for (size_t i = 0; i < 4; i++)
        at[i] = trace_file_block(f, i)->offset;
    at[4] = n - sizeof(struct block_header);    /* the end */
    assert_true(trace_file_is_complete(f));
    first = at[0];
    trace_file_close(f);
    for (size_t cut = 0; cut <= n; cut++) {
        char why[200] = "";
        uint8_t *bytes = malloc(cut ? cut : 1);      /* so that a sanitizer sees the end */
        memcpy(bytes, all, cut);
        f = trace_file_open_bytes(bytes, cut, why, sizeof why);
        if (cut < first) {
            assert_null(f);
            assert_true(strlen(why) > 0);
        } else {
            assert_non_null(f);
            while (n_whole < 4 && at[n_whole + 1] <= cut)
                n_whole++;
            assert_int_equal(trace_file_blocks(f), n_whole);
            assert_int_equal(count_events(f), 3 * n_whole);
            bool torn = cut != at[n_whole] && cut != n;
            assert_int_equal(trace_file_is_complete(f), cut == n);
            assert_int_equal(strstr(trace_file_warning(f), "torn") != NULL, torn);
        }
        trace_file_close(f);
        free(bytes);
    }
    assert_int_equal(n_whole, 4);
    free(all);
}

static bool ignore_event(void *arg, const struct trace_event *e)
{
    uint64_t *last = arg;
    assert_true(e->seq > *last);
    assert_true(e->cause_back < e->seq);
    *last = e->seq;
    return true;
}

/* Any one damaged byte costs at most the block it is in, and is told. */
static void damage_costs_one_block(void **state)
{
    (void)state;
    write_file(12, 3);
    size_t n;
    uint8_t *bytes = slurp(&n);
    for (size_t i = 0; i < n; i++) {
        char why[200] = "";
        uint64_t last = 0;
        bytes[i] ^= 0x41;
        struct trace_file *f = trace_file_open_bytes(bytes, n, why, sizeof why);
        if (f) {
            int damaged = each_event(f, ignore_event, &last);
            assert_true(damaged == 1 || trace_file_warning(f)[0]);
            assert_true(trace_file_blocks(f) >= 3);
        } else {
            assert_true(strlen(why) > 0);
        }
        trace_file_close(f);
        bytes[i] ^= 0x41;
    }
    free(bytes);
}

/* The file is mapped; what happens to it meanwhile is damage, and no more. */
static void a_file_may_change_while_it_is_read(void **state)
{
    (void)state;
    char why[200];
    uint64_t last = 0;
    write_file(40, 3);
    struct trace_file *f = trace_file_open(path, why, sizeof why);
    assert_non_null(f);
    size_t blocks = trace_file_blocks(f);
    assert_int_equal(each_event(f, ignore_event, &last), 0);
    last = 0;
    assert_int_equal(truncate(path, 3000), 0);
    assert_in_range(each_event(f, ignore_event, &last), 1, blocks);
    last = 0;
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(each_event(f, ignore_event, &last), blocks);
    last = 0;
    assert_int_equal(truncate(path, 100000), 0);                /* zeros */
    assert_int_equal(each_event(f, ignore_event, &last), blocks);
    trace_file_close(f);
}

/* A header and one block, with their sums made right, for lies to be told in. */
struct lie { struct file_header file; struct block_header block; uint8_t rest[64]; };

static void make_sums_right(struct lie *l)
{
    l->file.sum = trace_sum(TRACE_SUM_START, &l->file, offsetof(struct file_header, sum));
    l->file.sum = trace_sum(l->file.sum, "", 0);
    l->block.index_sum = trace_sum(TRACE_SUM_START, l->rest, 0);
    l->block.table_sum = trace_sum(TRACE_SUM_START, l->rest, sizeof l->rest);
    l->block.sum = trace_sum(TRACE_SUM_START, &l->block, offsetof(struct block_header, sum));
}

static struct lie an_honest_start(void)
{
    struct lie l = {
        .file = { .magic = TRACE_FILE_MAGIC, .version = TRACE_FILE_VERSION, .event_bytes = 64 },
        .block = { .magic = TRACE_BLOCK_MAGIC, .n_events = 1, .packed_bytes = sizeof l.rest,
                   .first_seq = 1, .last_seq = 1 },
    };
    return l;
}

static struct trace_file *open_lie(struct lie *l, char *why, size_t n)
{
    make_sums_right(l);
    return trace_file_open_bytes(l, sizeof *l, why, n);
}

/* A file of version 4 out of one of today: it had one column less, and in the low bytes of WHO
 * the layer and the engine.  Returns its length. */
static size_t as_version_4(uint8_t *bytes, size_t n)
{
    size_t out = sizeof(struct file_header), in = out, last = COLUMN_BASE * sizeof(struct column_header);
    struct file_header *f = (void *)bytes;
    f->version = 4;
    f->sum = trace_sum(TRACE_SUM_START, f, offsetof(struct file_header, sum));
    f->sum = trace_sum(f->sum, bytes + out, f->info_bytes);
    for (in = out += f->info_bytes; in < n; ) {
        struct block_header b;
        memcpy(&b, bytes + in, sizeof b);
        uint8_t *from = bytes + in + sizeof b, *to = bytes + out + sizeof b;
        size_t before = b.index_bytes + last, after = b.packed_bytes ? before + sizeof(struct column_header) : 0;
        in += sizeof b + b.packed_bytes;
        if (b.n_events) {
            b.packed_bytes -= (uint32_t)sizeof(struct column_header);
            b.table_sum = trace_sum(TRACE_SUM_START, from + b.index_bytes, last);
            memmove(to, from, before);
            memmove(to + before, from + after, b.packed_bytes - before);
        }
        b.sum = trace_sum(TRACE_SUM_START, &b, offsetof(struct block_header, sum));
        memcpy(bytes + out, &b, sizeof b);
        out += sizeof b + b.packed_bytes;
    }
    return out;
}

static void files_from_before_cs_can_be_read(void **state)
{
    (void)state;
    size_t n;
    char why[200];
    struct trace_writer *w = trace_writer_open(path, NULL, NULL);
    for (uint64_t i = 1; i <= 5000; i++) {
        struct trace_event e = { .seq = i, .place = 0x1000 + i, .kind = TRACE_MARK, .cs = 1 };
        trace_writer_sink(w, &e, 1);
    }
    assert_int_equal(trace_writer_close(w), 0);
    uint8_t *bytes = slurp(&n);
    struct trace_file *f = trace_file_open_bytes(bytes, as_version_4(bytes, n), why, sizeof why);
    struct trace_event *e = calloc(5000, sizeof *e);
    assert_non_null(f);
    assert_string_equal(trace_file_warning(f), "");
    assert_int_equal(trace_file_events(f), 5000);
    struct trace_columns *c = trace_columns_new();
    assert_int_equal(trace_columns_open(c, f, 1, why, sizeof why), 5000 - TRACE_BLOCK_EVENTS);
    assert_int_equal(trace_columns_events(c, e, why, sizeof why), 0);
    assert_int_equal(e[7].place, 0x1000 + TRACE_BLOCK_EVENTS + 8);
    assert_int_equal(e[7].cs, 0);
    assert_int_equal(e[7].who.engine, 1);
    assert_int_equal(e[7].who.segmented, 0);
    trace_columns_free(c);
    trace_file_close(f);
    free(bytes);
    free(e);
}

static void lies_in_the_file_header_are_refused(void **state)
{
    (void)state;
    char why[200];
    struct lie l = an_honest_start();
    l.file.magic[3] = 'X';
    assert_null(open_lie(&l, why, sizeof why));
    assert_non_null(strstr(why, "not a Vitrine trace"));
    l = an_honest_start();
    l.file.version = 1;
    assert_null(open_lie(&l, why, sizeof why));
    assert_non_null(strstr(why, "version"));
    l = an_honest_start();
    l.file.event_bytes = 65;
    assert_null(open_lie(&l, why, sizeof why));
    l = an_honest_start();
    l.file.info_bytes = UINT32_MAX;
    assert_null(open_lie(&l, why, sizeof why));
    assert_non_null(strstr(why, "longer"));
    l = an_honest_start();
    l.file.info_bytes = 60000;
    assert_null(open_lie(&l, why, sizeof why));
    assert_non_null(strstr(why, "ends inside"));
    l = an_honest_start();
    assert_null(trace_file_open_bytes(&l, sizeof l, why, sizeof why));
    assert_non_null(strstr(why, "checksum"));
}

static void expect_no_block(struct lie l)
{
    char why[200] = "";
    struct trace_file *f = open_lie(&l, why, sizeof why);
    assert_non_null(f);
    assert_int_equal(trace_file_blocks(f), 0);
    assert_true(trace_file_warning(f)[0]);
    trace_file_close(f);
}

static void lies_in_a_block_header_are_refused(void **state)
{
    (void)state;
    struct lie l = an_honest_start();
    l.block.n_events = 0;
    l.block.index_bytes = 1;    /* an end has text behind it, and no index */
    expect_no_block(l);
    l = an_honest_start();
    l.block.n_events = 0;
    l.block.packed_bytes = TRACE_WORDS_MAX + 1;
    expect_no_block(l);
    l = an_honest_start();
    l.block.n_events = UINT32_MAX;
    expect_no_block(l);
    l = an_honest_start();
    l.block.packed_bytes = UINT32_MAX;
    expect_no_block(l);
    l.block.packed_bytes = sizeof l.rest + 1;
    expect_no_block(l);
    l = an_honest_start();
    l.block.first_seq = 0;
    expect_no_block(l);
    l.block.first_seq = 2;
    expect_no_block(l);
    l = an_honest_start();
    l.block.n_events = 2;       /* two events, but only seq 1 */
    expect_no_block(l);
}

static void a_block_of_nonsense_is_told_when_read(void **state)
{
    (void)state;
    char why[200] = "";
    struct lie l = an_honest_start();
    struct trace_event e;
    memset(l.rest, 0x5a, sizeof l.rest);
    struct trace_file *f = open_lie(&l, why, sizeof why);
    assert_non_null(f);
    assert_int_equal(trace_file_blocks(f), 1);
    assert_int_equal(block_events(f, 0, &e, why, sizeof why), -EINVAL);
    assert_non_null(strstr(why, "damaged"));
    trace_file_close(f);
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    char why[200] = "";
    assert_null(trace_file_open("/nonexistent/x", why, sizeof why));
    assert_string_equal(why, "No such file or directory");
    assert_null(trace_file_open("/tmp", why, sizeof why));
    assert_null(trace_file_open("/dev/null", why, sizeof why));
    assert_string_equal(why, "it is not a regular file");
    fclose(fopen(path, "w"));
    assert_null(trace_file_open(path, why, sizeof why));
    assert_string_equal(why, "it is empty");
}

/* A full disk ends the trace, not the run. */
static void a_full_disk_is_told_once(void **state)
{
    (void)state;
    struct stat st;
    if (stat("/dev/full", &st) != 0)
        skip();
    struct trace_writer *w = trace_writer_open("/dev/full", NULL, NULL);
    assert_null(w);
    assert_int_equal(errno, ENOSPC);
    assert_null(trace_writer_open("/nonexistent/x", NULL, NULL));
    assert_int_equal(errno, ENOENT);
}

/*
 * Killed
 */

static unsigned kills(void)         /* make kills wants 1000 */
{
    const char *wanted = getenv("KILLS");
    return wanted ? (unsigned)atoi(wanted) : 100;
}

/* A run: events for ever, through a ring as sessions have it; *done says how many there were. */
static void write_for_ever(volatile uint64_t *done)
{
    struct trace *t = trace_ring_new(path, 2 * TRACE_BLOCK_EVENTS);
    struct trace_writer *w = trace_writer_open(path, t, NULL);
    struct trace_drain d;
    t->mask = ~UINT64_C(0);
    trace_drain_attach(&d, t);
    trace_drain_add(&d, trace_writer_sink, w);
    trace_drain_start(&d);
    for (uint64_t i = 1; ; i++) {
        emit(t, i);
        *done = i;
    }
}

/* Every event that was emitted before the kill is there, and at most the one that was under way. */
static void check_killed(struct store *s, uint64_t done)
{
    struct check c = { .next = 1 };
    for (uint64_t i = 0; i < store_n_events(s); i++)
        check_event(&c, store_at(s, i));
    assert_in_range(store_n_events(s), done, done + 1);
    assert_false(store_is_complete(s));
}

static void a_killed_writer_loses_nothing(void **state)
{
    (void)state;
    volatile uint64_t *done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned with_blocks = 0, n = kills();
    long longest_ns = 2000000;          /* as long as it takes here to have something written */
    assert_true(done != MAP_FAILED);
    srand(1);
    for (unsigned i = 0; i < n; i++) {
        *done = 0;
        unlink(path);
        pid_t child = fork();
        if (child == 0)
            write_for_ever(done);
        struct timespec pause = { .tv_nsec = rand() % longest_ns };
        nanosleep(&pause, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        char why[200];
        struct store *s = store_open(path, why, sizeof why);
        if (*done < 4 * TRACE_BLOCK_EVENTS && longest_ns < 12000000)
            longest_ns += longest_ns / 16;
        if (s) {
            check_killed(s, *done);
            with_blocks += trace_file_blocks(store_file(s)) > 0;
        } else {
            assert_int_equal(*done, 0); /* killed before its header was out */
        }
        store_close(s);
    }
    assert_true(with_blocks > n / 10);
    trace_ring_remove(path);
    munmap((void *)(uintptr_t)done, 4096);
}

/* A ring is believed only beside the file it belongs to, and never if it is none. */
static void a_ring_of_another_run_is_left_alone(void **state)
{
    (void)state;
    char why[200], name[80];
    struct trace *t = trace_ring_new(path, 64);
    struct trace_writer *w = trace_writer_open(path, t, NULL);
    t->mask = ~UINT64_C(0);
    for (uint64_t i = 1; i <= 50; i++)
        emit(t, i);
    struct store *s = store_open(path, why, sizeof why);
    assert_int_equal(store_n_events(s), 50);
    for (uint64_t i = 51; i <= 60; i++)
        emit(t, i);
    assert_int_equal(store_refresh(s), 10);
    assert_int_equal(store_at(s, 59)->seq, 60);
    t->ring->written_sum++;
    store_refresh(s);
    assert_int_equal(store_n_events(s), 0);
    t->ring->written_sum--;
    for (unsigned i = 0; i < 64; i++) {         /* any size there may be */
        t->ring->size = BIT(i);
        store_refresh(s);
        assert_true(store_n_events(s) <= 60);
    }
    t->ring->size = 64;
    t->ring->head = UINT64_MAX;
    store_refresh(s);
    assert_int_equal(store_n_events(s), 60);
    store_close(s);
    t->ring->head = 60;
    trace_writer_close(w);
    trace_free(t);
    snprintf(name, sizeof name, "%s.ring", path);
    assert_int_equal(truncate(name, 10), 0);
    store_close(store_open(path, why, sizeof why));
    trace_ring_remove(path);
    assert_int_not_equal(access(name, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(the_header_tells_about_the_run),
        cmocka_unit_test(the_end_tells_why_the_run_ended),
        cmocka_unit_test(the_index_tells_what_is_in_a_block),
        cmocka_unit_test(two_runs_give_the_same_bytes),
        cmocka_unit_test(a_file_cut_anywhere_is_readable),
        cmocka_unit_test(damage_costs_one_block),
        cmocka_unit_test(a_file_may_change_while_it_is_read),
        cmocka_unit_test(files_from_before_cs_can_be_read),
        cmocka_unit_test(lies_in_the_file_header_are_refused),
        cmocka_unit_test(lies_in_a_block_header_are_refused),
        cmocka_unit_test(a_block_of_nonsense_is_told_when_read),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(a_killed_writer_loses_nothing),
        cmocka_unit_test(a_ring_of_another_run_is_left_alone),
        cmocka_unit_test(a_full_disk_is_told_once),
    };
    return cmocka_run_group_tests_name("trace file", tests, make_path, remove_path);
}
