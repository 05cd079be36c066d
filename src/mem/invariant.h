/*
 * mem/invariant.h -- what must hold of the monitor's tables, by name.
 *
 * The first argument of TRACE_INVARIANT.  A monitor that is right never breaks one, and does not
 * look: that would cost too much.  The trusted monitors of the labs (lab/NN-name/) look each time
 * before the guest runs on, and write down the first page that is wrong.  doc/labs.md, "invariant".
 *
 * Each is about what the processor can use, which is less than what stands in some table: an
 * entry that no root leads to may say anything.
 */
#ifndef MEM_INVARIANT_H
#define MEM_INVARIANT_H

#include "base/types.h"

/*    name        one line: what is wrong if it is broken */
#define INVARIANT_LIST(X)                                                                      \
    X(PLACE,      "the monitor's tables lead to another page than the guest's")                \
    X(RIGHTS,     "they allow an access that the guest's tables forbid")                       \
    X(ACCESSED,   "they map a page while an A bit on the way to it is clear")                  \
    X(DIRTY,      "they let a page be written while its D bit is clear")                       \
    X(STALE,      "they still have what the guest has invalidated by INVLPG or MOV to CR3")    \
    X(TRUE_FAULT, "the guest's tables forbid the access, and the guest was not told, or told " \
                  "another error code")                                                        \
    X(HIDDEN_FAULT, "the guest's tables allow the access, and the guest was told of a fault") \
    X(ROM,        "they let a page of ROM be written")                                         \
    X(UNASKED,    "they map pages that no EPT violation has asked for")                        \
    X(MISCONFIGURED, "they have an entry that no processor accepts")                           \
    X(REFERENCES, "a walk's list of references is not what the processor reads")

enum invariant {
#define X(name, about) INVARIANT_##name,
    INVARIANT_LIST(X)
#undef X
    N_INVARIANTS
};

#endif
