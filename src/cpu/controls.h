/*
 * cpu/controls.h -- what makes a guest exit: the controls of a VMCS, by their
 * SDM names.  [SDM 3C "VM-Execution Control Fields"]
 *
 * A processor that runs a guest by itself exits for two reasons: because it must
 * (CPUID, VMCALL, a triple fault: no control turns these off), or because the
 * monitor asked for it with one of the bits below.  A monitor asks for as little
 * as it can, since an exit costs thousands of cycles: ours needs none of them
 * with nested paging, and with shadow paging those that tell it that the guest
 * changed what an address means (vm_initial_controls() in vm/exits.c).
 *
 * EXIT_ON_LIST is for people who want to *see* what a guest does and do not mind
 * the price: `vitrine run --exit-on cr3,pf`.  The guest cannot tell the
 * difference: it computes the same, at the same virtual time.
 */
#ifndef CPU_CONTROLS_H
#define CPU_CONTROLS_H

#include "base/types.h"

struct controls {
    uint32_t exception_bitmap;      /* bit n: exception n exits                            */
    bool     cr3_load_exiting, cr3_store_exiting;
    bool     invlpg_exiting;
    bool     rdtsc_exiting;         /* RDTSCP too                                          */
    bool     mov_dr_exiting;
    bool     msr_exiting;           /* every RDMSR and WRMSR, not only of the monitor's MSRs */
    bool     wbinvd_exiting;        /* INVD too                                            */
    bool     irq_window_exiting;    /* exit as soon as an interrupt could be taken         */
    bool     monitor_trap_flag;     /* exit after one instruction                          */
    uint64_t cr0_mask, cr4_mask;    /* a bit that is set belongs to the monitor: a MOV that
                                     * would change it exits  [SDM 3C "Guest/Host Masks and
                                     * Read Shadows for CR0 and CR4"]                      */
};

/*    name     one line, for --help                                  */
#define EXIT_ON_LIST(X)                                                \
    X(cr3,     "loads and stores of CR3: the guest changes its address space") \
    X(cr,      "writes that change CR0 or CR4")                        \
    X(dr,      "loads and stores of debug registers")                  \
    X(invlpg,  "INVLPG: the guest changed an entry of its page tables") \
    X(msr,     "RDMSR and WRMSR of every register")                    \
    X(rdtsc,   "RDTSC and RDTSCP")                                     \
    X(wbinvd,  "WBINVD and INVD")

/* Rows of EXIT_ON_LIST; bit n of an exit-on mask is exception n, bit 32 + k is row k. */
enum exit_on {
#define X(name, about) EXIT_ON_##name,
    EXIT_ON_LIST(X)
#undef X
    N_EXIT_ONS
};

struct exit_on_info { const char *name, *about; };
extern const struct exit_on_info exit_on_infos[N_EXIT_ONS];

/* All that can be asked for. */
#define EXIT_ON_ALL (BIT(32 + N_EXIT_ONS) - 1)

/*
 * "cr3,pf,6" as a mask: names of EXIT_ON_LIST, exceptions by name (pf, gp) or
 * number (0 to 31), `exceptions` for all of these, or `all`.  False if a word is
 * none of them; *bad is then where it begins in `list` (it ends at a comma).
 */
bool exit_on_parse(const char *list, uint64_t *mask, const char **bad);

/* Add what the mask asks for to *c. */
void exit_on_apply(uint64_t mask, struct controls *c);

#endif
