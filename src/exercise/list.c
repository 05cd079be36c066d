/*
 * exercise/list.c -- all exercises, in the order of a course.
 *
 * A number stays an exercise's own for good: teachers write it on their sheets.
 */
#include <stdlib.h>
#include <string.h>

#include "exercise/exercise.h"
#include "exercise/make.h"

const struct exercise exercises[] = {
    {  1, "layers", "Which interface is virtualized here: API, ABI or ISA?", 10, make_layers,
       "doc/architecture.md" },
    {  2, "classify", "Privileged, sensitive or innocuous?", 10, make_classify,
      "`vitrine run build/guests/sensitive32.elf`; slides/05-sensitive-instructions.md" },
    {  3, "theorem", "Popek and Goldberg: can this machine be virtualized?", 15, make_theorem,
      "slides/03-popek-goldberg.md" },
    {  4, "counterexample", "One kernel, bare and under trap-and-emulate", 15, make_counterexample,
      "slides/05-sensitive-instructions.md; lab 3" },
    {  5, "map", "Virtual state and real state: does the map commute?", 20, make_map,
      "Popek and Goldberg, \"The Virtual Machine Monitor\" and the proof of Theorem 1" },
    {  6, "process-vm", "One program on four machines", 30,
      make_process_vm, "src/exercise/stack_translate.c, src/exercise/rv32.c" },
    {  7, "exits", "How often will this guest exit?", 15, make_exits,
      "EXIT_LIST in src/cpu/exit.h; `vitrine stat FILE.trace`" },
    {  8, "trace", "Read a trace: why did the interrupt wait?", 15, make_trace,
      "doc/trace.md; `vitrine trace FILE.trace`" },
    {  9, "walk-32", "Walk a page table by hand: 32-bit paging", 15, make_walk_32,
       "src/mem/walk.c; SDM 3A \"32-Bit Paging\"" },
    { 10, "walk-pae", "Walk a page table by hand: PAE paging", 15, make_walk_pae,
       "src/mem/walk.c; SDM 3A \"PAE Paging\"" },
    { 11, "walk-64", "Walk a page table by hand: 4-level paging", 20, make_walk_64,
       "src/mem/walk.c; SDM 3A \"4-Level Paging\"" },
    { 12, "walk-2d", "A walk in two dimensions: 24 references?", 15, make_walk_2d,
      "src/mem/ept_walk.c; slides/07-memory.md" },
    { 13, "shadow", "Shadow tables: what each thing the guest does costs", 20, make_shadow,
      "src/mem/shadow.h; lab 5" },
    { 14, "ept-saves", "What nested paging saves, and what it costs", 20, make_ept_saves,
      "`vitrine run --mmu shadow` and `--mmu nested`; slides/07-memory.md" },
    { 15, "pic", "Priorities and end of interrupt of two 8259A", 15, make_pic,
       "src/io/pic.h; 8259A data sheet \"Operation Command Words\"" },
    { 16, "pit", "Arithmetic with the 8254 timer", 15, make_pit,
       "src/io/pit_channel.h; 8254 data sheet \"Mode Definitions\"" },
    { 17, "storm", "Interrupt storms", 10, make_storm, "`vitrine stat FILE.trace`" },
    { 18, "disk", "Sector and offset of a virtual disk", 10, make_disk,
      "Popek and Goldberg, \"The Model\"" },
    { 19, "balloon", "Balloons, and memory that is promised twice", 10, make_balloon,
      "Waldspurger, \"Memory Resource Management in VMware ESX Server\"" },
    { 20, "stride", "Stride scheduling: shares of a processor", 15, make_stride,
      "Waldspurger and Weihl, \"Stride Scheduling\"" },
    { 21, "credit", "A credit scheduler, with weights, a boost and a cap", 20, make_credit,
      "Cherkasova, Gupta and Vahdat, \"Comparison of the Three CPU Schedulers in Xen\"" },
    { 22, "consolidate", "Consolidation and utilization", 10, make_consolidate,
      "`vitrine exercise 20`" },
    { 23, "precopy", "Live migration: the rounds of pre-copy", 15, make_precopy,
      "src/mem/dirty.h" },
    { 24, "qos", "Quality of service: reservation, limit and shares", 10, make_qos,
      "`vitrine exercise 20`, `vitrine exercise 21`" },
};
const size_t n_exercises = NELEM(exercises);

const struct exercise *exercise_find(const char *word)
{
    char *end;
    unsigned long number = strtoul(word, &end, 10);
    for (size_t i = 0; i < n_exercises; i++)
        if (strcmp(exercises[i].name, word) == 0 || (!*end && exercises[i].number == number))
            return &exercises[i];
    return NULL;
}
