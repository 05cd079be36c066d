/*
 * mem/shadow_page.h -- shadow pages, and the lists that know who points where.
 * Private to mem/shadow*.c.
 *
 * A shadow page is one table of 512 entries.  It is named by its key: the
 * guest table it is made from and the circumstances ("role") under which that
 * table was read.  The same guest table met in two address spaces under the
 * same role is one shadow page, so kernels are shadowed once.
 *
 * Every entry stands on exactly one list, that of the thing it points to: a
 * shadow page (its parents) or a frame of guest memory (its mappings).  So a
 * page can be unlinked from all its parents, and a frame write-protected in
 * all shadows, without searching.  The links are two numbers beside each
 * entry, so nothing is ever allocated for them.
 */
#ifndef MEM_SHADOW_PAGE_H
#define MEM_SHADOW_PAGE_H

#include "base/types.h"
#include "base/x86.h"
#include "mem/gmem.h"
#include "mem/hmem.h"
#include "mem/shadow.h"

/* An instruction may need some ten pages of memory at once, each four tables
 * deep; the limits stay well above that even where they are made small. */
#ifdef VITRINE_HARD
#define MAX_PAGES   96
#define MAX_UNSYNC  24
#elif defined(VITRINE_SMALL)
#define MAX_PAGES   128
#define MAX_UNSYNC  24
#else
#define MAX_PAGES   2048
#define MAX_UNSYNC  64
#endif
#define N_BUCKETS   1024

/*  15 14 13 12 11 10  9  8  7  6  5  4  3  2  1  0
 *   level    .  E  N  P  guest    D  X  U  W  quad-
 *                        levels                rant
 *  quadrant: which part of a guest table of 1024 entries
 *  W, U, X: rights of the guest levels above
 *  D direct: made from no guest table but from one large page, or no paging
 *  P, N: CR4.PSE and EFER.NXE;  E: supervisor writes go everywhere (CR0.WP clear) */
#define ROLE_QUADRANT(q)  ((uint32_t)(q))
#define ROLE_W            ((uint32_t)BIT(2))
#define ROLE_U            ((uint32_t)BIT(3))
#define ROLE_X            ((uint32_t)BIT(4))
#define ROLE_DIRECT       ((uint32_t)BIT(5))
#define ROLE_LEVELS(n)    ((uint32_t)(n) << 6)
#define ROLE_PSE          ((uint32_t)BIT(9))
#define ROLE_NXE          ((uint32_t)BIT(10))
#define ROLE_EVERY_WRITE  ((uint32_t)BIT(11))
#define ROLE_LEVEL(n)     ((uint32_t)(n) << 13)
#define ROLE_MODE         (ROLE_LEVELS(7) | ROLE_PSE | ROLE_NXE | ROLE_EVERY_WRITE)

/* In an entry that points to a shadow page, which one: bits hardware ignores. */
#define CHILD_INDEX     FIELD(62, 52)

struct key { gpa_t gpa; uint32_t role; };

static inline unsigned key_level(struct key k)        { return k.role >> 13 & 7; }
static inline unsigned key_guest_levels(struct key k) { return k.role >> 6 & 7; }

/* A place in a list: 0, an entry (page index * 512 + slot + 1), or a list head. */
#define REF_PAGE_HEAD   ((uint32_t)BIT(30))
#define REF_FRAME_HEAD  ((uint32_t)BIT(31))

struct spage {
    struct key key;
    hpa_t      frame;                               /* of its table, for entries    */
    uint64_t  *table;                               /* and where we write it        */
    struct node { uint32_t next, prev; } *node;     /* beside each entry           */
    uint32_t   parents;                             /* head: entries that point here */
    uint32_t   next;                                /* in bucket or free list: index + 1 */
    bool       used;
};

struct span { gpa_t base; uint64_t size; uint32_t first; bool rom; };

struct shadow {
    struct gmem  *gmem;
    struct hmem  *hmem;
    struct trace *trace;

    struct paging pg;               /* the guest's, as of the last switch          */
    uint32_t      mode;             /* ROLE_MODE bits of that                       */
    struct spage *root[2];          /* for supervisor and user accesses; may be NULL */
    struct shadow_regs regs;        /* for the hardware; follows pg and root        */
    bool          flush;            /* see shadow_take_flush()                     */
    bool          aged;             /* the TLB may have what no shadow has any more */

    struct spage  page[MAX_PAGES];
    uint32_t      bucket[N_BUCKETS];    /* by frame of key.gpa: index + 1           */
    uint32_t      free, n_made;

    struct span  *span;             /* the regions of guest memory                 */
    size_t        n_spans;
    uint32_t     *mappings;         /* per frame: head of the leaves that map it   */

    gpa_t         unsync[MAX_UNSYNC];   /* guest table pages let out of sync        */
    size_t        n_unsync;
    struct shadow_stats stats;
};

/* In shadow.c: what follows from the guest's registers. */
void shadow_set_paging(struct shadow *s, const struct paging *pg);

/* The tree for supervisor or user accesses; NULL: none yet, and all of them fault. */
static inline void shadow_set_root(struct shadow *s, bool user, struct spage *p)
{
    s->root[user] = p;
    s->regs.cr3[user] = p ? p->frame : HMEM_NONE;
}

/* In shadow_page.c: */
struct spage *spage_find(const struct shadow *s, struct key k);
struct spage *spage_new(struct shadow *s, struct key k);    /* is none yet.  NULL: none left */
void shadow_drop_all(struct shadow *s);
void shadow_enter(struct shadow *s, struct spage *p, struct key k); /* an unused page gets a name */
struct spage *shadow_take_page(struct shadow *s);       /* unused, empty; NULL: none left */

/* Point an entry somewhere else. */
void entry_set_child(struct shadow *s, struct spage *p, unsigned slot, struct spage *child);
void entry_set_leaf(struct shadow *s, struct spage *p, unsigned slot, uint64_t entry);
struct spage *entry_child(const struct shadow *s, const struct spage *p, unsigned slot);

/* Drop the shadows made of guest tables in the page at gpa, all of them or only
 * those whose entries are not `keep_size` bytes wide; how many entries went. */
size_t frame_drop_tables(struct shadow *s, gpa_t gpa, unsigned keep_size);

/* The same page, but only what INVLPG must forget: everything in tables above
 * the last level, entry `slot` in those of the last. */
size_t frame_forget_page(struct shadow *s, gpa_t gpa, unsigned slot);

/* Below p, what was made of tables that are out of sync now.  To be forgotten before an entry
 * leads to p that has not before: the guest may have changed those tables while nothing led to
 * them, and then there is nothing that an INVLPG would have to invalidate.  How many entries
 * went.  p's own and those of the pages below it go, never one that leads to p: so an
 * instruction that needs several ways through the same pages has them all in the end. */
size_t spage_forget_unsync(struct shadow *s, struct spage *p);

/* Is some shadow made of a guest table in this page?  And is it write-protected for that? */
bool frame_is_table(const struct shadow *s, gpa_t gpa);
bool frame_is_unsync(const struct shadow *s, gpa_t gpa);
bool frame_is_protected(const struct shadow *s, gpa_t gpa);
const struct span *span_of_gpa(const struct shadow *s, gpa_t gpa);

/* Take the write permission from every entry that maps the page at gpa, and from
 * translations that only the TLB has still.  Who makes a shadow of a table must do so,
 * or the guest changes the table unseen: shadow_check() finds that. */
void frame_protect(struct shadow *s, gpa_t gpa);

/* The guest-physical page that a present leaf leads to. */
static inline gpa_t leaf_page(uint64_t leaf)
{
    return (leaf & PTE_ADDR) - HMEM_GUEST;
}

#endif
