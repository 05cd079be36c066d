/*
 * tests/fuzz/fuzz_snapshot.c -- any bytes as a snapshot, as a recording, and as changes to
 * a machine's own state.
 *   run    make fuzz
 *
 * The first byte chooses.  The state is that of a guest in the midst of its run, on
 * shadow or nested tables; the input is offsets and bytes to put there.  What is
 * promised: it is refused with a sentence, or the machine runs on (it may do
 * anything that a guest may do), and a good state is taken afterwards.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "base/trace.h"
#include "mem/gmem.h"
#include "vm/loop.h"
#include "vm/recording.h"
#include "vm/snapshot.h"
#include "vm/state.h"
#include "world.h"

#define CODE 0x1000

/* Paging on, identity for 4 MiB; then it counts, touches pages, writes to COM1, for ever. */
static const uint8_t code[] = {
    0xb8, 0x00, 0x20, 0x00, 0x00,               /* mov eax, 2000h: directory            */
    0xc7, 0x00, 0x83, 0x00, 0x00, 0x00,         /* mov [eax], 83h: 4 MiB at 0           */
    0x0f, 0x22, 0xd8,                           /* mov cr3, eax                         */
    0x0f, 0x20, 0xe0, 0x83, 0xc8, 0x10, 0x0f, 0x22, 0xe0,       /* CR4.PSE              */
    0x0f, 0x20, 0xc0, 0x0d, 0x00, 0x00, 0x00, 0x80, 0x0f, 0x22, 0xc0,   /* CR0.PG       */
    0xff, 0x05, 0x00, 0x30, 0x00, 0x00,         /* 1: inc [3000h]                       */
    0x66, 0xba, 0xf8, 0x03, 0xee,               /* mov dx, 3f8h; out dx, al             */
    0x81, 0xc3, 0x00, 0x10, 0x00, 0x00,         /* add ebx, 1000h                       */
    0x81, 0xe3, 0xff, 0xff, 0x0f, 0x00,         /* and ebx, fffffh                      */
    0x89, 0x83, 0x00, 0x00, 0x10, 0x00,         /* mov [ebx + 100000h], eax             */
    0xeb, 0xe1,                                 /* jmp 1b                               */
};

enum { RAM = 2 << 20, EVENTS = 1 << 12, TURNS = 30 };

static struct machine { struct vm *vm; struct bytes_out good; uint64_t hash; struct world world; } machines[2];
static struct trace *trace;             /* of both, and silent but for the check */

static uint64_t idle(void *arg, uint64_t ns)
{
    (void)arg;
    return ns;
}

static void run(struct vm *vm, uint64_t n)
{
    struct vmexit x;
    for (unsigned turns = 0; vm->stop == VM_RUNNING && turns < n; turns++) {
        vm->debug_wants.until = boot_cpu(vm)->icount + 200;
        if (vm_prepare(vm))
            vm_turn(vm, &x);
    }
}

static struct vm *make(enum mmu_kind mmu)
{
    struct vm_config c = { .engine = &engine_soft, .mmu = mmu, .ram_bytes = RAM, .idle = idle,
                           .no_reboot = true, .trace = trace };
    struct cpu_state s;
    char why[200];
    struct vm *vm = vm_new(&c, why, sizeof why);
    bug_if(!vm, "%s", why);
    cpu_state_reset(&s);
    for (unsigned i = 0; i < SEG_LDTR; i++)
        s.seg[i] = (struct segment){ .sel = (uint16_t)(i == SEG_CS ? 8 : 16), .limit = 0xffffffff,
                                     .attr = (uint16_t)(i == SEG_CS ? 0xc09b : 0xc093) };
    s.cr0 |= 1;
    s.rip = CODE;
    gmem_write(vm->gmem, CODE, code, sizeof code);
    bug_if(boot_cpu(vm)->ops->set_state(boot_cpu(vm), ST_ALL, &s), "no state");
    vm_begin(vm);
    run(vm, 300);
    bug_if(vm->stop != VM_RUNNING, "the guest has stopped: %s", vm->why);
    return vm;
}

/* The machine for this input; it is built anew if the last one has spoilt it. */
static struct machine *machine(enum mmu_kind mmu)
{
    struct machine *m = &machines[mmu == MMU_SHADOW];
    if (m->world.broken) {
        world_drop(&m->world);
        vm_free(m->vm);
        free(m->good.data);
        memset(m, 0, sizeof *m);
    }
    if (!m->vm) {
        world_begin(&m->world);
        m->vm = make(mmu);
        world_end(&m->world, m->vm->gmem, m->vm->dirty);
        vm_save_state(m->vm, &m->good);
        m->hash = vm_hash_parts(m->vm);
    }
    return m;
}

static void load_good(struct machine *m, struct vm *vm)
{
    struct bytes_in in = { m->good.data, m->good.data + m->good.n, false };
    char why[200];
    bug_if(vm_load_state(vm, &in, why, sizeof why), "its own state is refused: %s", why);
}

/* Three bytes of offset and one to put there, again and again. */
static void changed_state(struct machine *m, struct vm *vm, const uint8_t *data, size_t size)
{
    uint8_t *state = malloc(m->good.n);
    char why[200] = "";
    memcpy(state, m->good.data, m->good.n);
    for (; size >= 4; data += 4, size -= 4)
        state[(data[0] | data[1] << 8 | data[2] << 16) % m->good.n] = data[3];
    struct bytes_in in = { state, state + m->good.n - size, false };    /* and perhaps some are missing */
    if (vm_load_state(vm, &in, why, sizeof why)) {
        bug_if(!why[0], "refused without a word");
        load_good(m, vm);
    } else {
        run(vm, TURNS);
    }
    free(state);
}

struct given { const uint8_t *at; size_t n; };

static int64_t get(void *arg, void *data, size_t n)
{
    struct given *in = arg;
    n = n < in->n ? n : in->n;
    memcpy(data, in->at, n);
    in->at += n;
    in->n -= n;
    return (int64_t)n;
}

/* Is it as it was built? */
static bool is_unchanged(struct machine *m, struct vm *vm)
{
    return vm_hash_parts(vm) == m->hash && world_same_ram(&m->world, vm->gmem);
}

static void any_file(struct machine *m, struct vm *vm, const uint8_t *data, size_t size)
{
    struct given in = { data, size };
    struct snapshot_io io = { .get = get, .arg = &in };
    char why[300] = "";
    if (snapshot_load(vm, &io, why, sizeof why))
        bug_if(!why[0] || !is_unchanged(m, vm), "refused, but not as if nothing had been");
    else
        run(vm, TURNS);
}

static void any_recording(const uint8_t *data, size_t size)
{
    struct recording r;
    char why[300] = "";
    FILE *f = size ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
    if (!f)
        return;
    if (recording_read(f, &r, why, sizeof why) == 0)
        recording_free(&r);
    else
        bug_if(!why[0], "refused without a word");
    fclose(f);
}

static void one(struct machine *m, struct vm *vm, const uint8_t *data, size_t size)
{
    switch (data[0] >> 1 & 3) {
    case 0:  any_file(m, vm, data + 1, size - 1); break;
    case 1:  any_recording(data + 1, size - 1); break;
    default: changed_state(m, vm, data + 1, size - 1);
    }
}

/* With its events; a number for the end. */
static uint64_t one_and_sum(struct machine *m, struct vm *vm, const uint8_t *data, size_t size)
{
    struct trace_ring *r = trace->ring;
    r->head = r->tail = r->lost = 0;
    memset(&trace->ctx, 0, sizeof trace->ctx);
    trace->room_to = 0;
    trace->mask = ~UINT64_C(0);
    one(m, vm, data, size);
    trace->mask = 0;
    uint64_t n = r->head < r->size ? r->head : r->size;
    return world_sum(vm_hash(vm), r->event + 1, n ? (n - 1) * sizeof r->event[0] : 0);
}

static void check(struct machine *m, enum mmu_kind mmu, const uint8_t *data, size_t size)
{
    struct vm *fresh = make(mmu);
    world_enter(&m->world);
    uint64_t a = one_and_sum(m, m->vm, data, size);
    world_put_back(&m->world);
    uint64_t b = one_and_sum(m, fresh, data, size);
    bug_if(a != b, "the end depends on the inputs before");
    vm_free(fresh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!trace)
        trace = trace_new(EVENTS);
    if (!size)
        return 0;
    enum mmu_kind mmu = data[0] & 1 ? MMU_SHADOW : MMU_NESTED;
    struct machine *m = machine(mmu);
    world_enter(&m->world);
    one(m, m->vm, data, size);
    if (world_put_back(&m->world) && world_check_due())
        check(m, mmu, data, size);
    return 0;
}
