/*
 * debugger/report/palette.c -- the table of colours.  They are chosen to be seen on white and on
 * nearly black alike.
 */
#include "debugger/report/palette.h"

#include "cpu/exit.h"

static const char *const colours[N_EXITS] = {
    /* devices */
    [EXIT_IDX_IO] = "#3b82c4",            [EXIT_IDX_MMIO] = "#7cb9e8",
    /* memory */
    [EXIT_IDX_EPT_VIOLATION] = "#2e9e6b", [EXIT_IDX_EPT_MISCONFIG] = "#145c3c",
    [EXIT_IDX_INVLPG] = "#8fd19e",        [EXIT_IDX_EXCEPTION] = "#d9a514",
    /* what instructions ask for */
    [EXIT_IDX_CR_ACCESS] = "#d9622b",     [EXIT_IDX_DR_ACCESS] = "#f0a884",
    [EXIT_IDX_CPUID] = "#a0522d",         [EXIT_IDX_RDMSR] = "#e8793a",
    [EXIT_IDX_WRMSR] = "#b8452f",         [EXIT_IDX_RDTSC] = "#f2c14e",
    [EXIT_IDX_VMCALL] = "#d1648f",        [EXIT_IDX_WBINVD] = "#8c3f2b",
    /* time and interrupts */
    [EXIT_IDX_HLT] = "#8a8f98",           [EXIT_IDX_IRQ_WINDOW] = "#8e7cc3",
    [EXIT_IDX_KICKED] = "#b9a7e0",        [EXIT_IDX_BUDGET] = "#b8bcc4",
    /* debugging */
    [EXIT_IDX_MTF] = "#5bb8b0",           [EXIT_IDX_BREAKPOINT] = "#2a7f78",
    /* trouble */
    [EXIT_IDX_TRIPLE_FAULT] = "#c2185b",  [EXIT_IDX_UNHANDLED] = "#9c27b0",
    [EXIT_IDX_HOST] = "#6a1b6f",
};

const char *palette_of_exit(unsigned index)
{
    return index < N_EXITS && colours[index] ? colours[index] : "#70757d";
}
