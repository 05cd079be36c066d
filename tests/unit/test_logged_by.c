/*
 * Which function of the monitor logged an event: what the TUI's pane `monitor` says, found by
 * name in the sources, against the call stack at the moment when the event is written.
 *   run    make unit
 *   watch  vitrine tui build/guests/timer.elf, with the layout of key 3
 */
#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <execinfo.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "debugger/symbols/line_table.h"
#include "vm/load.h"
#include "vm/loop.h"
#include "vm/vm.h"

static struct source *source;

/* What does the logging for others: the step that logged is whoever called these. */
static bool only_logs(const char *name)
{
    static const char *const names[] = { "trace_write", "trace_emit", "vcpu_log_at", "oddity" };
    for (size_t i = 0; i < NELEM(names); i++)
        if (name && strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* The scopes around pc, innermost first, and the line at which each was left for the one inside of
 * it.  True: *function and *line are the first that is not only_logs(). */
static bool who_called(uint64_t pc, const char **function, int *line)
{
    Dwarf_Addr bias;
    Dwarf_Die *scopes = NULL, *cu = dwfl_module_addrdie(source_module(source), pc, &bias);
    Dwarf_Die *inner = NULL;
    /* First the innermost scope; then those around it where it was put, not where it is written. */
    int n = cu ? dwarf_getscopes(cu, pc - bias, &inner) : 0;
    n = n > 0 ? dwarf_getscopes_die(&inner[0], &scopes) : 0;
    free(inner);
    Dwfl_Line *at = dwfl_module_getsrc(source_module(source), pc);
    bool found = false;
    *line = 0;
    if (at)
        dwfl_lineinfo(at, NULL, line, NULL, NULL, NULL);
    for (int i = 0; i < n && !found; i++) {
        int tag = dwarf_tag(&scopes[i]);
        Dwarf_Attribute a;
        Dwarf_Word call;
        if (tag != DW_TAG_subprogram && tag != DW_TAG_inlined_subroutine)
            continue;
        *function = dwarf_diename(&scopes[i]);
        found = !only_logs(*function);
        if (!found && dwarf_attr(&scopes[i], DW_AT_call_line, &a) && !dwarf_formudata(&a, &call))
            *line = (int)call;
        if (!found && tag == DW_TAG_subprogram)
            break;                      /* whoever called it is in the next frame */
    }
    free(scopes);
    return found;
}

/* The function that the call before `pc` leads to.  If it is not the next one on the stack, it has
 * ended with a jump to that: the compiler's way to call something as the last thing of all. */
static const char *called(uint64_t pc)
{
    int32_t far;
    if (*(const uint8_t *)(pc - 5) != 0xe8)     /* CALL rel32 */
        return NULL;
    memcpy(&far, (const void *)(pc - 4), 4);
    return dwfl_module_addrname(source_module(source), pc + (uint64_t)(int64_t)far);
}

#define DEEP 8
static uint64_t n_events, n_compared, seen[16384];      /* sums over stacks; 0: free */
static size_t n_seen;

/* The same stack logs the same kind again and again: looked up once, for that takes long. */
static bool is_new(void *const *pc, int n, uint64_t what)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325) ^ what;
    for (int i = 0; i < n; i++)
        sum = (sum ^ (uint64_t)pc[i]) * UINT64_C(0x100000001b3);
    size_t at = sum % NELEM(seen);
    while (seen[at] && seen[at] != sum)
        at = (at + 1) % NELEM(seen);
    if (seen[at])
        return false;
    assert_true(++n_seen < NELEM(seen));
    seen[at] = sum;
    return true;
}

static void compare(void *arg, const struct trace_event *e)
{
    void *pc[DEEP];
    int n = backtrace(pc, DEEP), line = 0, frame = 0;
    uint64_t what = e->kind == TRACE_ODDITY ? 1000 + e->arg[0] : e->kind;
    const char *function = NULL;
    struct source_place p = { .line = 0 }, other;
    (void)arg;
    n_events++;
    if (!is_new(pc, n, what))
        return;
    while (frame < n && !(who_called((uint64_t)pc[frame] - 1, &function, &line) && frame > 0))
        frame++;
    if (frame == n)
        return;
    n_compared++;
    assert_true(source_of_event(source, e, 0, &p));
    for (unsigned i = 1; p.line != line && source_of_event(source, e, i, &other); i++)
        p = other;
    const char *jumped = called((uint64_t)pc[frame]);
    if (jumped && strcmp(jumped, p.function) == 0)
        function = p.function, line = p.line;
    if (p.line != line || strcmp(p.function, function) != 0)
        fail_msg("%s: the pane says %s() line %d, the stack %s() line %d", trace_kinds[e->kind].name,
                 p.function, p.line, function, line);
    if (e->kind != TRACE_ODDITY && source_of_event(source, e, 1, &other))
        fail_msg("%s is logged at two places: %s() and %s()", trace_kinds[e->kind].name, p.function,
                 other.function);
}

static void run_guest(const char *path, enum mmu_kind mmu)
{
    char why[300];
    struct trace *t = trace_new(64);
    struct vm_config cfg = { .engine = &engine_soft, .mmu = mmu, .ram_bytes = 32 << 20, .trace = t };
    struct load_request r = { .path = path };
    assert_non_null(t);
    t->mask = TRACE_DEFAULT_KINDS;
    t->watched = ~UINT64_C(0);
    t->on_event = compare;
    t->ring->tail = UINT64_MAX / 2;     /* nobody reads: nothing is lost */
    struct vm *vm = vm_new(&cfg, why, sizeof why);
    if (!vm || vm_load(vm, &r, why, sizeof why) != 0)
        fail_msg("%s: %s", path, why);
    vm_run(vm);
    vm_free(vm);
    trace_free(t);
}

/* Was all of this program compiled here?  A compiler's cache may hand out what another directory's
 * sources gave, whose lines need not be those of ours. */
static bool compiled_here(void)
{
    char here[4096];
    Dwarf_Addr bias;
    Dwarf_Attribute a;
    if (!getcwd(here, sizeof here))
        return false;
    for (Dwarf_Die *cu = NULL; (cu = dwfl_module_nextcu(source_module(source), cu, &bias)); ) {
        const char *dir = dwarf_attr(cu, DW_AT_comp_dir, &a) ? dwarf_formstring(&a) : NULL;
        if (!dir || strcmp(dir, here) != 0)
            return false;
    }
    return true;
}

static void every_event_of_a_guest(void **state)
{
    static const char *const guests[] = { "timer", "paging", "faults32", "v86", "ptchurn32", "strict32",
                                          "hypercall", "longmode" };
    (void)state;
    source = source_open();
    if (!source || !compiled_here())
        skip();
    for (size_t i = 0; i < NELEM(guests); i++)
        for (unsigned mmu = MMU_NESTED; mmu <= MMU_SHADOW; mmu++) {
            char path[100];
            snprintf(path, sizeof path, "build/guests/%s.elf", guests[i]);
            run_guest(path, mmu);
        }
    source_close(source);
    assert_true(n_events > 10000);
    assert_true(n_compared >= 20);
}

int main(void)
{
    static const struct CMUnitTest tests[] = { cmocka_unit_test(every_event_of_a_guest) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
