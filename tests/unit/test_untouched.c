/*
 * test_untouched.c -- a guest must not notice which pages its monitor has mapped already.
 *
 * Deliveries, task switches and far transfers read and write descriptors, TSSs and stacks in one
 * go.  If a page of those is missing in the nested tables the CPU exits in the midst, the monitor maps
 * the page, and the CPU has to end up where it would have without.  So each program runs with all
 * pages mapped, and then again and again with some of them missing, or mapped without W: each page
 * that it uses in turn, all of them, and random sets.  Registers, memory and the count of
 * instructions must be the same.
 *
 *   run     build/tests/test_untouched
 *   longer  ROUNDS=20000 SEED=7 build/tests/test_untouched
 */
#include "soft_board.h"

#include <stdlib.h>

enum { N_PAGES = RAM / PAGE_SIZE };

/* How a page is mapped before the run. */
enum mapping { ALL, NO_WRITE, MISSING };

static const struct program programs[] = {
    { "task: JMP", P0, 0, "ea000000007800" },
    { "task: CALL", P0, 0, "9a000000007800" },
    { "task: CALL of a gate", P0, 0, "9a000000008000" },
    { "task: INT", P0, 0, "cd83" },
    { "task gate that ring 3 may not use", P3, 0, "cd83" },
    { "task: IRET", P0, SET_LINK, "9c810c24004000009dcf" },
    { "task: JMP under TF", P0, 0, "9c810c24000100009dea000000007800" },
    { "task: JMP to a 16-bit one", P0, 0, "ea000000009000" },
    { "task: a bad segment in it", P0, SET_BAD_TASK_DS, "ea000000007800" },
    { "task: the same for INT", P0, SET_BAD_TASK_DS, "cd83" },
    { "task: JMP to another space", P0, SET_PAGED, "ea000000007800" },
    { "task: CALL to another space", P0, SET_PAGED, "9a000000007800" },
    { "task: #GP", P0, SET_GP_TASK, "b8d00100008ed8" },
    { "task: #GP to another space", P0, SET_GP_TASK | SET_PAGED, "b8d00100008ed8" },
    { "task: #DF", P0, SET_NO_GP | SET_DF_TASK, "b8d00100008ed8" },
    { "task: #PF", P0, SET_PF_TASK | SET_PAGED, "a100004000" },
    { "task: #DF of a stack that has overflowed", P0, SET_DF_TASK | SET_PAGED, "bc1000400050" },
    { "task: #DF, and its task is bad", P0, SET_DF_TASK | SET_PAGED | SET_BAD_TASK_DS,
      "bc1000400050" },
    { "INT from ring 3", P3, 0, "cd30" },
    { "#GP from ring 3", P3, 0, "f4" },
    { "#GP in ring 0", P0, SET_PAGED, "b8d00100008ed8" },
    { "#PF in ring 0", P0, SET_PAGED, "a100004000" },
    { "INT from V86", V, SET_IOPL3, "cd30" },
    { "#GP from V86", V, 0, "f4" },
    { "INT in real mode", R, 0, "cd10" },
    { "far CALL in real mode", R, 0, "9a10020005" },
    { "CALL gate with parameters", P3, 0, "6a016a029a00000000b300" },
    { "CALL gate", P3, 0, "9a000000006b00" },
    { "far CALL", P0, SET_PAGED, "9a005200000800" },
    { "IRET to ring 3", P0, 0, "6a2368000003006a026a1b6800520000cf" },
    { "RETF to ring 3", P0, 0, "6a2368000003006a1b6800520000cb" },
    { "IRET to V86", P0, 0,
      "6a006a006a006a0068001000006800f000006802000200680005000068200000" "00cf" },
    { "segments are marked accessed", P0, SET_PAGED, "b8200000008ed8b8400000008ec0" },
    { "LTR, LLDT", P0, SET_PAGED, "b8780000000f00d8b8300000000f00d0" },
    { "long: INT with IST", L0, 0, "cd87" },
    { "long: INT from ring 3", L3, 0, "cd30" },
    { "long: #GP from ring 3", L3, 0, "f4" },
    { "long: IRETQ to ring 3", L0, 0, "6a2368000003006a0268f3000000680052000048cf" },
    { "long: double fault", L0, SET_NO_GP, "b8d00100008ed8" },
};

/* How a run has ended. */
struct outcome {
    unsigned  reason;           /* EXIT_HLT or EXIT_TRIPLE_FAULT */
    uint64_t  icount;
    struct cpu_state state;
    uint8_t   memory[RAM];
};

static bool used[N_PAGES];      /* pages for which the latest run has exited */

static void map_page(unsigned page, enum mapping m)
{
    gpa_t gpa = (gpa_t)page * PAGE_SIZE;

    if (m == MISSING)
        nested_unmap(nested, gpa, PAGE_SIZE);
    else
        nested_map(nested, gpa, HMEM_GUEST + gpa, PAGE_SIZE,
                   m == NO_WRITE ? EPT_R | EPT_X : EPT_RWX);
}

/* The monitor's answers: a missing page is mapped; what the guest asks for is done. */
static void answer(struct vmexit *x)
{
    if (x->reason == EXIT_EPT_VIOLATION) {
        used[x->page.gpa / PAGE_SIZE] = true;
        map_page((unsigned)(x->page.gpa / PAGE_SIZE), ALL);
        cpu.ops->conclude(&cpu, x, RETRY);
    } else if (x->reason == EXIT_EXCEPTION) {
        gla_t cr2 = x->fault.gla;
        exit_reflect(x, x->fault.vector, x->fault.has_error, x->fault.error);
        x->reflect.cr2 = cr2;
        cpu.ops->conclude(&cpu, x, REFLECT);
    } else {
        cpu.ops->conclude(&cpu, x, RETIRE);
    }
}

/* Run with pages mapped as `how` says.  If `watched` the monitor also asks for CR3 loads and
 * exceptions. */
static void run(const struct program *p, const enum mapping *how, bool watched, struct outcome *o)
{
    struct controls ctl = { .cr3_load_exiting = watched,
                            .exception_bitmap = watched ? 0xffffffff : 0 };
    uint64_t before;
    struct vmexit x;

    make_memory(p);
    set_cpu(p);
    cpu.ops->set_controls(&cpu, &ctl);
    for (unsigned i = 0; i < N_PAGES; i++)
        map_page(i, how[i]);
    cpu.ops->forget(&cpu, 0, RAM);
    memset(used, 0, sizeof used);
    before = cpu.icount;
    for (unsigned n = 0; n < 400; n++) {
        cpu.ops->run(&cpu, 100, &x);
        if (x.reason == EXIT_HLT || x.reason == EXIT_TRIPLE_FAULT)
            break;
        answer(&x);
    }
    memset(o, 0, sizeof *o);
    o->reason = x.reason;
    o->icount = cpu.icount - before;
    cpu.ops->get_state(&cpu, ST_ALL, &o->state);
    o->state.tsc = 0;                   /* goes on from run to run */
    memcpy(o->memory, ram, RAM);
}

static bool is_same(const struct program *p, const struct outcome *a, const struct outcome *b,
                    const char *what)
{
    char text[2000];

    if (a->reason == b->reason && a->icount == b->icount &&
        !cpu_state_diff(&a->state, &b->state, ST_ALL, text, sizeof text) &&
        !memcmp(a->memory, b->memory, RAM))
        return true;
    cpu_state_diff(&a->state, &b->state, ST_ALL, text, sizeof text);
    print_error("%s, %s: exit 0x%x and 0x%x, %lu and %lu instructions, memory %s\n%s\n", p->name,
                what, a->reason, b->reason, (unsigned long)a->icount, (unsigned long)b->icount,
                memcmp(a->memory, b->memory, RAM) ? "differs" : "is the same", text);
    return false;
}

static enum mapping how[N_PAGES];
static struct outcome whole, parts;

static void set_all(enum mapping m)
{
    for (unsigned i = 0; i < N_PAGES; i++)
        how[i] = m;
}

/* Each page that the program uses in turn, and all of them. */
static unsigned try_each_page(const struct program *p, bool watched, enum mapping m)
{
    bool pages[N_PAGES];
    unsigned bad = 0;
    char what[60];

    set_all(m);
    run(p, how, watched, &parts);
    memcpy(pages, used, sizeof pages);
    bad += !is_same(p, &whole, &parts, "all pages");
    for (unsigned i = 0; i < N_PAGES; i++) {
        if (!pages[i])
            continue;
        set_all(ALL);
        how[i] = m;
        run(p, how, watched, &parts);
        snprintf(what, sizeof what, "page %#x %s%s", i << 12,
                 m == MISSING ? "missing" : "not to be written", watched ? ", watched" : "");
        bad += !is_same(p, &whole, &parts, what);
    }
    return bad;
}

static void test_each_page(void **state)
{
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < NELEM(programs); i++) {
        set_all(ALL);
        run(&programs[i], how, false, &whole);
        for (unsigned watched = 0; watched < 2; watched++) {
            bad += try_each_page(&programs[i], watched, MISSING);
            bad += try_each_page(&programs[i], watched, NO_WRITE);
        }
    }
    assert_int_equal(bad, 0);
}

static uint64_t random_state;

static unsigned choose(unsigned n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(random_state >> 33) % n;
}

static void test_random_sets(void **state)
{
    const char *seed = getenv("SEED"), *rounds = getenv("ROUNDS");
    unsigned n = rounds ? (unsigned)strtoul(rounds, NULL, 0) : 20, bad = 0;
    char what[60];

    (void)state;
    random_state = seed ? strtoull(seed, NULL, 0) : 1;
    for (size_t i = 0; i < NELEM(programs); i++) {
        set_all(ALL);
        run(&programs[i], how, false, &whole);
        for (unsigned k = 0; k < n && !bad; k++) {
            uint64_t begin = random_state;
            for (unsigned j = 0; j < N_PAGES; j++)
                how[j] = (enum mapping)choose(3);
            run(&programs[i], how, choose(2), &parts);
            snprintf(what, sizeof what, "SEED=%#lx", (unsigned long)begin);
            bad += !is_same(&programs[i], &whole, &parts, what);
        }
    }
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_page),
        cmocka_unit_test(test_random_sets),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
