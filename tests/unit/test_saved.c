/*
 * Nothing that a machine's future depends on is forgotten when it is saved.
 *
 * What structs there are and what is in them is asked of this program's own debug
 * information, so that a new member is looked at without being named here: it is
 * changed, and what vm_save_state() makes must then be something else.  A member
 * that is not saved on purpose is listed below with its reason; pointers are wiring.
 * Of a long array only the first and the last element are looked at.
 *   run    make unit
 *
 * That what is saved is put back, test_snapshot.c and test_reverse.c see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "disk_image.h"
#include "base/trace.h"
#include "base/vclock.h"
#include "debugger/symbols/debuginfo.h"
#include "debugger/symbols/type.h"
#include "vm/loop.h"
#include "vm/pc.h"
#include "vm/state.h"
#include "vm/vm.h"

/* Not saved: a path (and all below it), and why nobody misses it. */
static const struct { const char *path, *why; } not_saved[] = {
    /* how the machine was made */
    { "vm.cfg", "another machine is made with the same" },
    { "vm.loaded", "what a reset loads again: from the guest's file" },
    { "vm.vcpu[0].mmu", "as in cfg" },
    { "vm.vcpu[0].eptp", "the root table is made once and stays" },
    { "vm.vcpu[0].timing", "as in cfg" }, { "vm.vcpu[0].entered_ns", "the host's time" },
    { "vm.vcpu[0].latest_injection", "looked at after a crash, which ends the run" },
    { "vm.vcpu[0].injection", "in the trace's context, as the cause" },
    { "vm.vcpu[0].number", "as the machine is made" }, { "vm.n_vcpus", "as the machine is made" },
    { "vm.vcpu[0].controls.exception_bitmap", "by cfg.mmu and cfg.exit_on, as all that exits are wanted of but interrupt windows" },
    { "vm.vcpu[0].controls.cr3_load_exiting", "as above" }, { "vm.vcpu[0].controls.cr3_store_exiting", "as above" },
    { "vm.vcpu[0].controls.invlpg_exiting", "as above" }, { "vm.vcpu[0].controls.rdtsc_exiting", "as above" },
    { "vm.vcpu[0].controls.mov_dr_exiting", "as above" }, { "vm.vcpu[0].controls.msr_exiting", "as above" },
    { "vm.vcpu[0].controls.wbinvd_exiting", "as above" },
    { "vm.vcpu[0].controls.cr0_mask", "as above" }, { "vm.vcpu[0].controls.cr4_mask", "as above" },
    { "vm.crash", "of a crash, which ends the run" },
    { "vm.sync_insns", "lockstep's, which has no snapshots" },
    { "vm.in_lockstep", "lockstep's, which has no snapshots" },
    { "vm.replay_until", "a recording that is played has no snapshots" },
    { "uart.char_ns", "the machine's maker sets it" },
    { "pic.intr", "wiring" }, { "irq_nets.listener", "wiring" }, { "irq_nets.n_listeners", "wiring" },
    { "irq_nets.n_sources", "wiring" }, { "pit.irq0", "wiring" }, { "i8042.irq1", "wiring" }, { "i8042.irq12", "wiring" },
    { "i8042.a20", "wiring" }, { "uart.irq", "wiring" }, { "ata.irq", "wiring" }, { "rtc.irq8", "wiring" }, { "port92.a20", "wiring" },
    { "shadow.page", "entries one by one, with guest-physical addresses" },

    /* the host's */
    { "vm.host_base_ns", "the host's time" }, { "vm.alarm_ns", "the host's time" },
    { "vm.slice_ns", "the host's time" },
    { "vm.pause_wanted", "somebody's who is there now" }, { "vm.interrupted", "a signal" },
    { "soft.kicked", "somebody's who is there now" },

    /* the debugger's: it is another's when the state is loaded */
    { "vm.vcpu[0].controls.monitor_trap_flag", "its step" }, { "vm.debug_wants.step", "its step" },
    { "vm.debug_wants.until", "its next look" }, { "vm.vcpu[0].turn.ends_for", "chosen anew before the CPU runs" },
    { "vm.debug_wants.hold_irqs", "how it steps" }, { "vm.debug_news.woken", "how it steps" },
    { "vm.debug_wants.no_window", "inside the past" },
    { "vm.debug_wants.kick", "its kick" }, { "vm.debug_news.exit", "its exit" }, { "vm.debug_news.n_exits", "counts its exits" },
    { "soft.debug_code", "its stops" }, { "soft.debug_data", "its stops" }, { "soft.debug_range", "its stops" }, { "soft.debug_magic", "its stops" },
    { "soft.touched", "its stops" }, { "soft.creep", "its stops" },
    { "soft.ac_in_delivery", "counts to two, and may begin anew" },

    /* what follows from the rest */
    { "vm.vcpu[0].icount", "soft.icount" },
    { "vclock.n_armed", "the devices' timers arm themselves" },
    { "soft.gpr[16]", "always 0" },
    { "soft.cc_result", "flags are saved worked out" }, { "soft.cc_src", "flags are saved worked out" },
    { "soft.cc_dst", "flags are saved worked out" }, { "soft.cc_op", "flags are saved worked out" },
    { "soft.flags", "its bit 0 is one of those" },
    { "soft.flat", "of the segments" }, { "soft.cpl", "of the segments" }, { "soft.mode", "of CR0, EFER, CS" },
    { "soft.code_ctx", "of mode and segments" }, { "soft.code", "of mode and segments" }, { "soft.watching", "of DR7 and CR0" },
    { "soft.ctl", "set_controls() brings them" },
    { "soft.map_gen", "decoded code, of which there is none after loading" },
    { "soft.single", "how code is decoded" },
    { "shadow.pg.ac", "RFLAGS.AC as of the access, taken anew for each" },
    { "shadow.mode", "of CR0, CR4, EFER" }, { "shadow.regs", "of those and the roots" },
    { "shadow.bucket", "made anew as pages are entered" }, { "shadow.free", "made anew" },
    { "shadow.n_made", "made anew" }, { "shadow.n_spans", "guest memory's regions" },

    /* of what lives only while run() does */
    { "soft.icount_limit", "set by run()" }, { "soft.icount_end", "set by run()" },
    { "soft.left", "concluded before anything is saved" }, { "soft.next_supplied", "begins at 0" },
    { "soft.escape", "set by run()" }, { "soft.in_system", "within an instruction" },
    { "soft.raised", "delivered before run() returns" },
};

/* Which struct is behind a device, by the name in its ops, where the two differ. */
static const struct { const char *device, *tag; } devices[] = {
    { "i8259a", "pic" }, { "i8254", "pit" }, { "mc146818", "rtc" }, { "uart16550a", "uart" },
    { "mark", "markport" },
    { "exit", "exitport" }, { "hypercall", "hypercall_port" },
};

#define FEW 256                 /* elements of an array that is looked at whole */

static struct debuginfo *info;

struct look {
    struct vm       *vm;
    struct bytes_out before;
    unsigned         n, forgotten;
    bool             used[NELEM(not_saved)];
};

static struct bytes_out save(struct vm *vm)
{
    struct bytes_out o = { .data = NULL };
    vm_save_state(vm, &o);
    assert_false(o.bad);
    return o;
}

static bool is_listed(struct look *l, const char *path)
{
    for (size_t i = 0; i < NELEM(not_saved); i++) {
        size_t n = strlen(not_saved[i].path);
        if (strncmp(path, not_saved[i].path, n) == 0 && (!path[n] || strchr(".[", path[n])))
            return l->used[i] = true;
    }
    return false;
}

/* A number: changed, it must change what is saved. */
static void look_at_number(struct look *l, const char *path, uint8_t *at, uint8_t bit)
{
    *at ^= bit;
    struct bytes_out after = save(l->vm);
    *at ^= bit;
    bool same = after.n == l->before.n && !memcmp(after.data, l->before.data, after.n);
    free(after.data);
    l->n++;
    if (!same)
        return;
    l->forgotten++;
    print_message("%s is not saved\n", path);
}

static void look(struct look *l, const char *path, const struct type *t, uint8_t *at, unsigned bit)
{
    char below[300];
    struct type element;
    struct type_member m;
    uint64_t n;
    if (is_listed(l, path))
        return;
    switch (type_kind(t)) {
    case TYPE_STRUCT:
        for (unsigned i = 0; type_member_at(info, t, i, &m); i++) {
            snprintf(below, sizeof below, "%s.%s", path, m.name);
            look(l, below, &m.type, at + m.offset + m.bit_offset / 8, m.bit_offset % 8);
        }
        break;
    case TYPE_ARRAY:
        n = type_count(t);
        assert_true(n && type_target(t, &element));
        for (uint64_t i = 0; i < n; i += n > FEW && i < n - 1 ? n - 1 : 1) {
            snprintf(below, sizeof below, "%s[%u]", path, (unsigned)i);
            look(l, below, &element, at + i * type_bytes(info, &element), 0);
        }
        break;
    case TYPE_INTEGER: case TYPE_ENUM: case TYPE_FLOAT:
        look_at_number(l, path, at, (uint8_t)(1u << bit));
        break;
    default:                                    /* a pointer */
        break;
    }
}

/* `near`: of several structs of that name the one in this function's file. */
static void look_into(struct look *l, const char *tag, void *at, const void *near)
{
    Dwarf_Die die;
    struct type t;
    const struct debuginfo_name *found =
        debuginfo_find(info, DEBUGINFO_TAG, tag, strlen(tag), (uint64_t)(uintptr_t)near);
    if (!found || !debuginfo_die(info, found->die, &die) || !type_from(&die, &t))
        fail_msg("struct %s is not found in the debug information", tag);
    look(l, tag, &t, at, 0);
}

static const char *tag_of(const char *device)
{
    for (size_t i = 0; i < NELEM(devices); i++)
        if (!strcmp(devices[i].device, device))
            return devices[i].tag;
    return device;              /* the struct is called as the device is */
}

static void look_into_devices(struct look *l)
{
    struct pc_part part[32];
    size_t n = pc_parts(l->vm->pc, part, NELEM(part));
    for (size_t i = 0; i < n; i++)
        look_into(l, tag_of(part[i].ops->name), part[i].dev, (const void *)(uintptr_t)part[i].ops->reset);
}

/* A machine in the midst of things. */
static struct vm *machine(enum mmu_kind mmu, struct trace *t)
{
    char path[200], why[300] = "";
    struct vmexit x;
    const char *build = getenv("BUILD");
    snprintf(path, sizeof path, "%s/guests/tiny64.elf", build ? build : "build");
    struct vm_config c = { .engine = &engine_soft, .mmu = mmu, .ram_bytes = 16u << 20, .trace = t,
                           .disk = { test_disk(), test_disk() } };
    struct vm *vm = vm_new(&c, why, sizeof why);
    if (!vm || vm_load(vm, &(struct load_request){ .path = path }, why, sizeof why))
        fail_msg("%s: %s", path, why);
    vm_begin(vm);
    while (vm->stop == VM_RUNNING && vm->n_exits < 300)
        if (vm_prepare(vm))
            vm_turn(vm, &x);
    assert_int_equal(vm->stop, VM_RUNNING);
    return vm;
}

static void no_member_is_forgotten(void **state)
{
    (void)state;
    static const enum mmu_kind mmus[] = { MMU_NESTED, MMU_SHADOW };
    struct look l = { .n = 0 };
    for (size_t i = 0; i < NELEM(mmus); i++) {
        struct trace *t = trace_new(65536);
        l.vm = machine(mmus[i], t);
        l.before = save(l.vm);
        look_into(&l, "vm", l.vm, (const void *)(uintptr_t)vm_turn);
        look_into(&l, "vclock", l.vm->clock, (const void *)(uintptr_t)vclock_new);
        look_into(&l, "soft", boot_cpu(l.vm)->priv, (const void *)(uintptr_t)vm_turn);
        look_into_devices(&l);
        if (l.vm->shadow)
            look_into(&l, "shadow", l.vm->shadow, (const void *)(uintptr_t)vm_turn);
        free(l.before.data);
        vm_free(l.vm);
        trace_free(t);
    }
    print_message("%u members, %u of them forgotten\n", l.n, l.forgotten);
    assert_int_equal(l.forgotten, 0);
    for (size_t i = 0; i < NELEM(not_saved); i++)
        if (!l.used[i])
            fail_msg("%s is listed, but there is no such member", not_saved[i].path);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(no_member_is_forgotten) };
    info = debuginfo_own();
    if (!info) {
        puts("1..0 # SKIP this program has no debug information");
        return 0;
    }
    int bad = cmocka_run_group_tests(tests, NULL, NULL);
    debuginfo_close(info);
    return bad;
}
