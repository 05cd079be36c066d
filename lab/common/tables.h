/*
 * lab/common/tables.h -- page tables that a submission keeps and the monitor's hardware walks:
 * what is said about them on the wire, and how a lab uses both ends.
 *
 * The keeper of nested or shadow tables (mem/nested.c, mem/shadow.c) runs in the student's
 * process; the processor that walks the tables is the trusted monitor's.  So there are two
 * copies of each table:
 *
 *     submission: keeper.c                              monitor: frames.c
 *     hmem_table_new() takes a frame    -- NEW -->      a frame of the monitor's hmem, zeroed
 *     the student writes entries        -- WRITE -->    the same entries, if they are allowed
 *     hmem_table_free()                 -- FREE -->     the frame is nobody's
 *
 * The student's code writes entries through the pointer that hmem_table() gives, as the real
 * source does.  What it has changed is found and told before its process answers a call, so the
 * hardware never sees less than the call has done.
 *
 * To use it in a lab:
 *
 *   server.c    struct hmem *h = keeper_hmem(frames);  -- once, before the part is made
 *               keeper_tell();                          -- at the end of serve(), each time
 *   standin.c   frames_init(&f, h, allowed, arg);       -- h is the monitor's own
 *               in hear(): if (frames_is_ours(m)) return frames_hear(&f, m);
 *
 * Both objects are linked into every lab's submission and monitor (lab.mk).  keeper.c defines
 * hmem_table_new() and hmem_table_free(): do not link mem/hmem.o into the submission.
 */
#ifndef LAB_COMMON_TABLES_H
#define LAB_COMMON_TABLES_H

#include "lab/wire.h"

/* Told by the submission; a lab's own numbers are below. */
enum lab_tables_call {
    LAB_TABLES_NEW = 0x100,     /* frame                                       */
    LAB_TABLES_FREE,            /* frame                                       */
    LAB_TABLES_WRITE,           /* how many; data: as many struct table_write   */
    LAB_TABLES_END,
};

/* One entry.  A frame is a host-physical address divided by 4096. */
struct table_write {
    uint32_t frame;
    uint32_t index;             /* 0 to 511 */
    uint64_t value;
};

#define WRITES_PER_MESSAGE (LAB_WIRE_DATA / sizeof(struct table_write))

#endif
