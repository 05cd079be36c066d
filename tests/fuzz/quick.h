/*
 * tests/fuzz/quick.h -- what the sanitizers do at each input, and need not do so thoroughly.
 *
 * None of this hides a bug: the interpreter's longjmp() still clears what AddressSanitizer knows of
 * the stack that is given up, but without asking the kernel first whether there is a stack for
 * signals; freed memory still waits before it is used again, but not until a quarter of a gigabyte
 * waits; and a report says which function allocated, but not who had called it: run the input
 * again with ASAN_OPTIONS=malloc_context_size=30 in the environment.
 */
#ifndef TESTS_FUZZ_QUICK_H
#define TESTS_FUZZ_QUICK_H

#include <sanitizer/asan_interface.h>

extern void *__libc_stack_end;          /* the highest address of the first thread's stack */

/* The end of the stack that runs now; NULL: the first thread's. */
static char *quick_stack_end;

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=4:thread_local_quarantine_size_kb=64:malloc_context_size=1";
}

/* The linker puts this in the place of the sanitizer's own (fuzz.mk). */
void __wrap___asan_handle_no_return(void);
__attribute__((no_sanitize("all")))
void __wrap___asan_handle_no_return(void)
{
    char *here = __builtin_frame_address(0);
    char *end = quick_stack_end ? quick_stack_end : __libc_stack_end;
    __asan_unpoison_memory_region(here, (size_t)(end - here));
}

#endif
