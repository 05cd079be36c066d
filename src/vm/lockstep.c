/*
 * vm/lockstep.c -- the leader takes a turn, the follower catches up, both are compared.
 *
 * Two machines with the same guest, on two engines.  Only the leader's devices, input and clock
 * are used; it runs through vm_step() as every machine does.  The follower is driven from here: it
 * runs until it makes the exit that the leader has made, and is given the leader's answer.  So
 * both guests see the same world, and any difference in registers or memory is an engine's.
 *
 *     leader     ----run----> OUT --answer--> ----run----> IN --answer--> ...
 *                              |      |                     |      |
 *     follower   ----run----> OUT  <--+       ----run----> IN  <---+
 *                              compare                      compare
 *
 * What can be compared depends on the engines (configs_count() below).  Not here: how a
 * difference is shown (cmd/), which flags are dead (live_flags.c).  Begin with lockstep_run(),
 * then follow().
 */
#include "vm/lockstep.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/host.h"
#include "base/trace.h"
#include "base/x86.h"
#include "cpu/regs.h"
#include "mem/gmem.h"
#include "mem/shadow.h"
#include "vm/exits.h"
#include "vm/live_flags.h"
#include "vm/loop.h"

/* The exits a guest can tell from outside: what it says to devices and to the
 * monitor.  Everything else is how an engine happens to work. */
static bool is_visible(enum exit_reason r)
{
    return r == EXIT_IO || r == EXIT_MMIO || r == EXIT_HLT || r == EXIT_VMCALL ||
           r == EXIT_TRIPLE_FAULT;
}

/* Two engines that count instructions can be stopped at the same one.  If one of them cannot
 * count, the two machines meet only at exits that both guests make. */
static bool configs_count(const struct vm_config *a, const struct vm_config *b)
{
    return a->engine->counts && b->engine->counts;
}

static bool both_count(const struct lockstep *l)
{
    return configs_count(&l->leader->cfg, &l->follower->cfg);
}

/* Where the two meet only at visible exits, interrupts must come there and nowhere else, and
 * VMCALL must not be used: on KVM it is the kernel that answers it. */
void lockstep_prepare(struct vm_config *leader, struct vm_config *follower)
{
    bool measured = !configs_count(leader, follower);
    leader->irq_at_visible_exits = measured;
    leader->no_vmcall = follower->no_vmcall = measured;
    follower->ram_bytes = leader->ram_bytes;
    follower->limit_insns = follower->limit_exits = 0;
    follower->idle = NULL;
    follower->poll = NULL;
    follower->serial = follower->debugcon = (struct char_sink){ 0 };
}

__attribute__((format(printf, 2, 3)))
static bool differ(struct lockstep *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(l->what, sizeof l->what, fmt, ap);
    va_end(ap);
    l->differ = true;
    return false;
}

/* ---- comparing ---- */

/* What a null selector leaves behind in the descriptor cache differs from maker to
 * maker and cannot be used; but FS and GS keep a base.  [APM 2 "Loading Segment Selectors"] */
static void drop_null_segments(struct cpu_state *s)
{
    if (!(s->cr0 & CR0_PE) || (s->rflags & FLAG_VM))
        return;
    for (int i = SEG_ES; i <= SEG_GS; i++) {
        struct segment *g = &s->seg[i];
        if (i == SEG_CS || (g->sel & ~3u))
            continue;
        g->limit = 0;
        g->attr = 0;
        if (i < SEG_FS)
            g->base = 0;
    }
}

/* Flags that an instruction leaves undefined are one thing in soft, which does as Intel's
 * processors do, and another in the host's processor.  Where only flags differ that the
 * guest writes before it reads them, the follower is given the leader's, so that an
 * interrupt that comes next pushes the same on both sides; b is then like a. */
static void level_dead_flags(struct lockstep *l, const struct cpu_state *a, struct cpu_state *b)
{
    struct vcpu *follower = boot_cpu(l->follower);
    uint64_t differing = (a->rflags ^ b->rflags) & FLAGS_ARITH;
    struct cpu_state s;
    if (!differing || live_flags(l->leader, a, differing) ||
        follower->ops->get_state(follower, ST_GPRS, &s))
        return;
    s.rflags ^= differing;
    if (!follower->ops->set_state(follower, ST_GPRS, &s))
        b->rflags ^= differing;
}

/* Every register of both CPUs.  Not compared is what may differ between two correct processors:
 * RF, and, between soft and silicon, the remains of null selectors and flags that nobody will
 * read. */
static bool same_state(struct lockstep *l)
{
    struct cpu_state a, b;
    struct vcpu *va = boot_cpu(l->leader), *vb = boot_cpu(l->follower);
    unsigned groups = ST_GPRS | ST_SEGS | ST_CRS | ST_DRS | ST_MSRS | ST_FPU;
    l->n_compared++;
    if (va->ops->get_state(va, groups, &a) || vb->ops->get_state(vb, groups, &b))
        return differ(l, "an engine does not tell its state");
    /* RF is dropped as an instruction begins, and whether one that faulted in the
     * monitor's own business has begun is not the guest's to know. */
    a.rflags &= ~FLAG_RF;
    b.rflags &= ~FLAG_RF;
    if (!both_count(l)) {
        drop_null_segments(&a);
        drop_null_segments(&b);
        level_dead_flags(l, &a, &b);
    }
    unsigned n = cpu_state_diff(&a, &b, groups, l->states, sizeof l->states);
    char place[PLACE_MAX];
    if (n)
        return differ(l, "%u registers differ at %s", n,
                      state_place_phrase(&a, place, sizeof place));
    return true;
}

/* A line for every word that differs, while there is room. */
static unsigned diff_region(struct lockstep *l, const struct gmem_region *a,
                            const struct gmem_region *b)
{
    unsigned n = 0;

    for (uint64_t o = 0; o + 4 <= a->size; o += 4) {
        uint32_t wa, wb;
        memcpy(&wa, gmem_hva(a, a->base + o, sizeof wa), sizeof wa);
        memcpy(&wb, gmem_hva(b, b->base + o, sizeof wb), sizeof wb);
        if (wa == wb)
            continue;
        n++;
        size_t used = strlen(l->states);
        if (used + 40 < sizeof l->states)
            snprintf(l->states + used, sizeof l->states - used, "%-14" PRIx64 " %08x  %08x\n",
                     a->base + o, wa, wb);
    }
    return n;
}

/* Once, at the end: hashing all memory takes too long for each exit.  What a guest has computed
 * wrongly and not looked at since is found here. */
static bool same_memory(struct lockstep *l)
{
    unsigned n = 0;

    if (gmem_hash(l->leader->gmem) == gmem_hash(l->follower->gmem))
        return true;
    l->states[0] = '\0';
    for (size_t i = 0; i < gmem_count(l->leader->gmem); i++)
        n += diff_region(l, gmem_region(l->leader->gmem, i), gmem_region(l->follower->gmem, i));
    return differ(l, "%u words of memory differ", n);
}

static bool good_shadow(struct lockstep *l)
{
    char why[120];
    const struct vm *both[] = { l->leader, l->follower };
    for (size_t i = 0; l->check_shadow && i < NELEM(both); i++)
        if (both[i]->shadow && shadow_check(both[i]->shadow, why, sizeof why))
            return differ(l, "shadow tables break their invariant: %s", why);
    return true;
}

/* The same request to the world at the same instruction: what an OUT writes is compared, what
 * an IN reads is not known yet. */
static bool same_exit(struct lockstep *l)
{
    char a[100], b[100];
    const struct vmexit *xa = &l->exit[0], *xb = &l->exit[1];
    bool same = xa->reason == xb->reason && xa->rip == xb->rip;
    if (same && xa->reason == EXIT_IO)
        same = xa->io.port == xb->io.port && xa->io.size == xb->io.size && xa->io.in == xb->io.in &&
               (xa->io.in || xa->io.value == xb->io.value);
    if (same && xa->reason == EXIT_MMIO)
        same = xa->mmio.gpa == xb->mmio.gpa && xa->mmio.size == xb->mmio.size &&
               xa->mmio.write == xb->mmio.write &&
               (!xa->mmio.write || xa->mmio.value == xb->mmio.value);
    if (same)
        return true;
    char pa[PLACE_MAX], pb[PLACE_MAX];
    return differ(l, "exits differ: %s at %s and %s at %s", exit_describe(xa, a, sizeof a),
                  place_phrase(xa->rip, &xa->cs, pa, sizeof pa), exit_describe(xb, b, sizeof b),
                  place_phrase(xb->rip, &xb->cs, pb, sizeof pb));
}

/* ---- the follower ---- */

/* Where not both can be stopped at an instruction the follower runs until it
 * exits, and one gone astray may never do so.  It gets ample time for what the
 * leader has done in between. */
#define PATIENCE_NS      10000000000u
#define PATIENCE_INSN_NS 10000u

static uint64_t give_time(struct lockstep *l, uint64_t leader_ran)
{
    struct vm *f = l->follower;
    if (both_count(l) || !f->cfg.alarm)
        return UINT64_MAX;
    uint64_t until = host_monotonic_ns() + PATIENCE_NS + leader_ran * PATIENCE_INSN_NS;
    f->cfg.alarm(until);
    l->leader->alarm_ns = 0;                    /* there is one alarm for both */
    return until;
}

/* Somebody kicked the follower: the user, or the alarm. */
static bool may_go_on(struct lockstep *l, uint64_t until)
{
    struct vm *a = l->leader;
    if (a->interrupted) {
        vm_stop(a, a->interrupted == 15 ? VM_TERMINATED : VM_INTERRUPTED, NULL);
        return false;
    }
    if (host_monotonic_ns() < until)
        return true;
    char x[100], place[PLACE_MAX];
    return differ(l, "the follower does not come to %s at %s",
                  exit_describe(&l->exit[0], x, sizeof x),
                  place_phrase(l->exit[0].rip, &l->exit[0].cs, place, sizeof place));
}

/* Run the follower once; a private exit is answered, *visible says if it was not. */
static bool follow_once(struct lockstep *l, uint64_t budget, bool *visible)
{
    struct vm *f = l->follower;
    struct vmexit *x = &l->exit[1];
    boot_cpu(f)->ops->run(boot_cpu(f), budget, x);
    f->n_exits++;
    *visible = is_visible(x->reason);
    if (*visible)
        return true;
    enum verdict v = vm_answer(f, boot_cpu(f), x);
    boot_cpu(f)->ops->conclude(boot_cpu(f), x, v);
    if (boot_cpu(f)->turn.paging_stale) {
        boot_cpu(f)->turn.paging_stale = false;
        vm_paging_changed(f, boot_cpu(f));
    }
    if (f->stop != VM_RUNNING)
        return differ(l, "the follower stopped: %s %s", vm_stops[f->stop].about, f->why);
    return true;
}

/* To the leader's instruction count, or not at all if it cannot count. */
static bool catch_up(struct lockstep *l, uint64_t icount)
{
    struct vm *f = l->follower;
    while (both_count(l) && boot_cpu(f)->icount < icount) {
        bool visible;
        if (!follow_once(l, icount - boot_cpu(f)->icount, &visible))
            return false;
        if (visible) {
            char b[100], place[PLACE_MAX];
            return differ(l, "only the follower exits: %s at %s, instruction %" PRIu64,
                          exit_describe(&l->exit[1], b, sizeof b),
                          place_phrase(l->exit[1].rip, &l->exit[1].cs, place, sizeof place),
                          boot_cpu(f)->icount);
        }
    }
    return true;
}

/* The leader made a guest-visible exit: the follower must make the same, at once. */
static bool follow_exit(struct lockstep *l, uint64_t icount)
{
    struct vm *f = l->follower;
    bool visible = false;
    uint64_t until = give_time(l, icount - l->leader_icount);
    l->leader_icount = icount;
    while (!visible) {
        if (!follow_once(l, both_count(l) ? 1 : UINT64_MAX, &visible))
            return false;
        if (l->exit[1].reason == EXIT_KICKED && !may_go_on(l, until))
            return false;
        if (!visible && both_count(l) && boot_cpu(f)->icount > icount)
            return differ(l, "only the leader exits, at instruction %" PRIu64, icount);
    }
    return same_exit(l);
}

/* Give the follower the leader's answer.  (out) fields only; the rest is its own. */
static void share_answer(struct lockstep *l)
{
    const struct vmexit *xa = &l->exit[0];
    struct vmexit *xb = &l->exit[1];
    if (xa->reason == EXIT_IO)
        xb->io.value = xa->io.value;
    else if (xa->reason == EXIT_MMIO)
        xb->mmio.value = xa->mmio.value;
    else if (xa->reason == EXIT_VMCALL)
        xb->call.result = xa->call.result;
    xb->reflect = xa->reflect;
}

/* Bring the follower to where the leader stands, in the order in which it happened to the
 * leader: its time before the exit, the interrupt it was given, the instructions it ran, the
 * exit itself, the answer.  Then compare, unless one of the two is in the midst of something.
 * icount_at_exit: the leader's count before the exit's own instruction retired. */
static bool follow(struct lockstep *l, uint64_t icount_at_exit)
{
    struct vm *a = l->leader, *f = l->follower;
    uint64_t follower_exits = f->n_exits;
    l->abreast = false;
    /* What the leader slept or waited before this exit; what the exit itself took
     * comes next time. */
    boot_cpu(f)->tsc_base += boot_cpu(a)->turn.time_base_at_exit_ns - f->time_base_ns;
    f->time_base_ns = boot_cpu(a)->turn.time_base_at_exit_ns;
    const struct event *injected = &boot_cpu(a)->turn.injected;
    if (injected->type != EVENT_NONE && boot_cpu(f)->ops->inject(boot_cpu(f), injected))
        return differ(l, "the follower does not take interrupt %u", injected->vector);
    if (!catch_up(l, icount_at_exit))
        return false;
    bool visible = is_visible(l->exit[0].reason);
    if (visible) {
        if (!follow_exit(l, icount_at_exit))
            return false;
        share_answer(l);
        boot_cpu(f)->ops->conclude(boot_cpu(f), &l->exit[1], boot_cpu(a)->turn.verdict);
        l->n_visible++;
    }
    if (!visible && !both_count(l))
        return true;
    /* In the midst of an instruction or a delivery that begins again after the
     * repair: CR2 or a REP count may be ahead of the follower's. */
    if (l->exit[0].reason == EXIT_EPT_VIOLATION || l->exit[0].reason == EXIT_EPT_MISCONFIG ||
        l->exit[0].reason == EXIT_EXCEPTION)
        return true;
    /* An interrupt the leader has taken and the follower has yet to: not comparable. */
    if (!visible && f->n_exits == follower_exits && injected->type != EVENT_NONE)
        return true;
    /* A port that changed the CPU's registers (a hypercall) changed the leader's only. */
    if (visible && boot_cpu(a)->turn.registers_changed) {
        struct cpu_state s;
        boot_cpu(a)->ops->get_state(boot_cpu(a), ST_GPRS, &s);
        boot_cpu(f)->ops->set_state(boot_cpu(f), ST_GPRS, &s);
    }
    /* Same counts now, unless one side's exit is half an instruction away. */
    if (both_count(l) && boot_cpu(a)->icount != boot_cpu(f)->icount &&
        !catch_up(l, boot_cpu(a)->icount))
        return false;
    l->abreast = true;
    return same_state(l) && good_shadow(l);
}

/* Neither is to show its guest what the other could not. */
static void pair(struct vm *a, struct vm *b)
{
    a->in_lockstep = b->in_lockstep = true;
    a->cpuid_like = boot_cpu(b);
    b->cpuid_like = boot_cpu(a);
}

int lockstep_run(struct lockstep *l)
{
    struct vm *a = l->leader;
    vm_begin(a);
    vm_begin(l->follower);
    pair(a, l->follower);
    a->sync_insns = both_count(l) ? l->every_insns : 0;
    while (a->stop == VM_RUNNING) {
        uint64_t before = a->n_exits;
        vm_step(a, &l->exit[0]);
        if (a->n_exits == before)
            break;                              /* stopped before it ran */
        if (a->stop == VM_TRIPLE_FAULT || a->stop == VM_RUNNING || a->stop == VM_EXIT_PORT ||
            a->stop == VM_POWER_OFF)
            if (!follow(l, boot_cpu(a)->turn.icount_at_exit))
                return l->differ ? 1 : a->status;
    }
    /* A limit may have stopped the leader where the other cannot be brought to. */
    if ((l->abreast || both_count(l)) && !same_memory(l))
        return 1;
    return a->status;
}
