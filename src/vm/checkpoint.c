/*
 * vm/checkpoint.c -- checkpoints in memory; see checkpoint.h for what they are.
 *
 * Begin reading with checkpoints_take() and checkpoints_return(), at the end.
 *
 * Pages.  The contents that a page had at some checkpoint are a *version*.  The versions of a
 * page are chained from the youngest to the oldest, and a checkpoint's contents of the page are
 * those of the youngest version that is not younger than the checkpoint.  A page without any
 * version is zero: the first checkpoint has versions of all others.
 *
 *     checkpoint      A        B        C        D      (D is the youngest)
 *     page 7          v1 <---------- -- v2               A, B mean v1; C, D mean v2
 *
 * The pages as they are now (vm/pages.h: RAM, and what was written to disks) descend from one
 * checkpoint, `here`.  What the guest has written since is dirty, so only dirty pages need be
 * compared when one is taken.
 *
 * State (vm/state.h) is cut into chunks, and a chunk that is the same in the checkpoint before is
 * shared with it: shadow pages and TLB entries mostly stay where they were.
 */
#include "vm/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/host.h"
#include "base/trace.h"
#include "vm/pages.h"
#include "vm/state.h"

#define NEAR_NS   25000000u             /* neighbours closer than that are thinned out anywhere */
/* Farther away: closer than this part of the distance.  But while there is memory no gap becomes
 * wider than FAR_NS, since that is how long somebody waits who goes there. */
#define FAR_PART  16
#define FAR_NS    160000000u
#define MAX_WALLS 4096
#define CHUNK     4096

struct version {
    struct version    *older;           /* of the same page                    */
    struct version    *next;            /* of the same checkpoint              */
    struct checkpoint *of;
    uint32_t           page;
    uint8_t           *data;            /* NULL: all zero                      */
};

struct chunk { unsigned users; uint8_t byte[CHUNK]; };

struct checkpoints {
    struct vm         *vm;
    uint64_t           bytes, max_bytes;
    size_t             n, n_walls;
    struct checkpoint *first, *last, *here;
    struct pages      *pages;           /* numbered in one row                 */
    uint32_t           n_pages;
    struct version   **page;            /* the youngest version                */
    uint8_t           *touched;         /* a bit a page: for checkpoints_return */
};

/* ---- versions of pages ---- */

static bool is_zero(const uint8_t *page)
{
    return !page[0] && !memcmp(page, page + 1, PAGE_SIZE - 1);
}

/* The version that a checkpoint with this key means; NULL: the page was zero. */
static struct version *version_at(const struct checkpoints *all, uint32_t page, uint64_t key)
{
    struct version *v = all->page[page];
    while (v && v->of->key > key)
        v = v->older;
    return v;
}

static bool is_same(const struct version *v, const uint8_t *page)
{
    return v && v->data ? !memcmp(v->data, page, PAGE_SIZE) : is_zero(page);
}

static void free_version(struct checkpoints *all, struct version *v)
{
    all->bytes -= sizeof *v + (v->data ? PAGE_SIZE : 0);
    free(v->data);
    free(v);
}

/* Put v into its page's chain, which is in order of age. */
static void chain(struct checkpoints *all, struct version *v)
{
    struct version **at = &all->page[v->page];
    while (*at && (*at)->of->key > v->of->key)
        at = &(*at)->older;
    v->older = *at;
    *at = v;
}

static void unchain(struct checkpoints *all, struct version *v)
{
    struct version **at = &all->page[v->page];
    while (*at != v)
        at = &(*at)->older;
    *at = v->older;
}

/* Note that at checkpoint c the page held these bytes (NULL: zeros), which are copied.  False:
 * no memory. */
static bool add_version(struct checkpoints *all, struct checkpoint *c, uint32_t page,
                        const uint8_t *data)
{
    struct version *v = malloc(sizeof *v);
    uint8_t *copy = v && data ? malloc(PAGE_SIZE) : NULL;
    if (!v || (data && !copy)) {
        free(v);
        return false;
    }
    if (copy)
        memcpy(copy, data, PAGE_SIZE);
    *v = (struct version){ .next = c->versions, .of = c, .page = page, .data = copy };
    c->versions = v;
    chain(all, v);
    all->bytes += sizeof *v + (copy ? PAGE_SIZE : 0);
    return true;
}

/* c is new and may stand between two others.  Where it has no version the checkpoint after it
 * shares that of the one before; if c now gets its own, the one after would mean that, too, so
 * first it gets a copy of what it has meant so far. */
static bool keep_page(struct checkpoints *all, struct checkpoint *c, uint32_t page)
{
    const uint8_t *now = page_now(all->pages, page);
    const struct version *before = version_at(all, page, c->key);
    if (is_same(before, now))
        return true;
    const struct version *after = c->newer ? version_at(all, page, c->newer->key) : NULL;
    if (c->newer && after == before &&
        !add_version(all, c->newer, page, before ? before->data : NULL))
        return false;
    return add_version(all, c, page, is_zero(now) ? NULL : now);
}

/* ---- dirty pages ---- */

#define AT_ONCE 1024

/* Which pages differ from `here` is to be known. */
static void collect(struct checkpoints *all)
{
    struct vcpu *v = boot_cpu(all->vm);
    if (v->ops->collect_dirty)
        v->ops->collect_dirty(v);
}

/* Each dirty page is given to fn, and all are clean. */
static bool take_dirty(struct checkpoints *all, struct checkpoint *c,
                       bool fn(struct checkpoints *all, struct checkpoint *c, uint32_t page))
{
    uint32_t page[AT_ONCE];
    bool ok = true;
    size_t n;
    while ((n = pages_take_dirty(all->pages, page, AT_ONCE)))
        for (size_t i = 0; i < n; i++)
            if (!fn(all, c, page[i]))
                ok = false;
    return ok;
}

static void rearm(struct checkpoints *all)
{
    struct vcpu *v = boot_cpu(all->vm);
    if (v->ops->rearm_dirty)
        v->ops->rearm_dirty(v);
}

/* ---- state ---- */

static void drop_state(struct checkpoints *all, struct checkpoint *c)
{
    size_t n = (c->state_bytes + CHUNK - 1) / CHUNK;
    for (size_t i = 0; c->state && i < n; i++)
        if (c->state[i] && !--c->state[i]->users) {
            all->bytes -= sizeof *c->state[i];
            free(c->state[i]);
        }
    free(c->state);
    c->state = NULL;
}

static struct chunk *make_chunk(struct checkpoints *all, const uint8_t *from, size_t n)
{
    struct chunk *k = malloc(sizeof *k);
    if (!k)
        return NULL;
    k->users = 1;
    memcpy(k->byte, from, n);
    memset(k->byte + n, 0, CHUNK - n);
    all->bytes += sizeof *k;
    return k;
}

/* The chunk of `before` at this place, if it is the same. */
static struct chunk *shared_chunk(const struct checkpoint *before, size_t i,
                                  const uint8_t *from, size_t n)
{
    if (!before || i >= before->state_bytes / CHUNK || n < CHUNK ||
        memcmp(before->state[i]->byte, from, CHUNK))
        return NULL;
    before->state[i]->users++;
    return before->state[i];
}

/* The machine's state in chunks, those that `before` has in the same place shared with it.  On
 * failure some chunks may be there and some not; drop_state() takes either. */
static bool keep_state(struct checkpoints *all, struct checkpoint *c,
                       const struct checkpoint *before)
{
    struct bytes_out o = { 0 };
    vm_save_state(all->vm, &o);
    size_t n = (o.n + CHUNK - 1) / CHUNK;
    c->state = o.bad ? NULL : calloc(n + 1, sizeof *c->state);
    c->state_bytes = c->state ? o.n : 0;
    bool ok = c->state != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        size_t bytes = o.n - i * CHUNK < CHUNK ? o.n - i * CHUNK : CHUNK;
        c->state[i] = shared_chunk(before, i, o.data + i * CHUNK, bytes);
        if (!c->state[i])
            c->state[i] = make_chunk(all, o.data + i * CHUNK, bytes);
        ok = c->state[i] != NULL;
    }
    free(o.data);
    return ok;
}

static bool load_state(struct checkpoints *all, const struct checkpoint *c)
{
    char why[200];
    uint8_t *flat = malloc(c->state_bytes + CHUNK);
    if (!flat)
        return false;
    for (size_t i = 0; i * CHUNK < c->state_bytes; i++)
        memcpy(flat + i * CHUNK, c->state[i]->byte, CHUNK);
    struct bytes_in in = { flat, flat + c->state_bytes, false };
    int err = vm_load_state(all->vm, &in, why, sizeof why);
    free(flat);
    bug_if(err == -22, "a checkpoint is refused: %s", why);
    return !err;
}

/* ---- the row ---- */

static void link_behind(struct checkpoints *all, struct checkpoint *c, struct checkpoint *older)
{
    c->older = older;
    c->newer = older ? older->newer : all->first;
    *(c->older ? &c->older->newer : &all->first) = c;
    *(c->newer ? &c->newer->older : &all->last) = c;
    all->n++;
    all->n_walls += c->wall;
}

static void unlink_one(struct checkpoints *all, struct checkpoint *c)
{
    *(c->older ? &c->older->newer : &all->first) = c->newer;
    *(c->newer ? &c->newer->older : &all->last) = c->older;
    all->n--;
    all->n_walls -= c->wall;
}

static void free_one(struct checkpoints *all, struct checkpoint *c)
{
    drop_state(all, c);
    free(c);
}

/* The next younger may have meant versions of c's: it inherits those of pages of which it has
 * none of its own. */
static void remove_one(struct checkpoints *all, struct checkpoint *c)
{
    struct checkpoint *to = c->newer;
    struct version *next;
    for (struct version *v = c->versions; v; v = next) {
        next = v->next;
        struct version *younger = all->page[v->page];
        while (younger != v && younger->older != v)
            younger = younger->older;
        if (!to || (younger != v && younger->of == to)) {
            unchain(all, v);
            free_version(all, v);
        } else {
            v->of = to;
            v->next = to->versions;
            to->versions = v;
        }
    }
    unlink_one(all, c);
    free_one(all, c);
}

/* ---- thinning ---- */

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static bool may_go(const struct checkpoints *all, const struct checkpoint *c)
{
    return c->older && c->newer && !c->wall && !c->pins && c != all->here;
}

/* How wide a gap may be at this distance from where the machine is. */
static uint64_t gap_at(const struct checkpoints *all, const struct checkpoint *c)
{
    uint64_t far = distance(all->here->axis, c->axis) / FAR_PART;
    return far < NEAR_NS ? NEAR_NS : far > FAR_NS ? FAR_NS : far;
}

/* The one whose going leaves the least harm, for its distance; NULL: none may go. */
static struct checkpoint *least_needed(const struct checkpoints *all)
{
    struct checkpoint *best = NULL;
    double least = 0;
    for (struct checkpoint *c = all->first; c; c = c->newer) {
        if (!may_go(all, c))
            continue;
        double harm = (double)(c->newer->axis - c->older->axis) / (double)gap_at(all, c);
        if (!best || harm < least) {
            best = c;
            least = harm;
        }
    }
    return best;
}

/* Going back to a moment means: return to the checkpoint before it, then run forward.  So near
 * the present checkpoints stand densely, where somebody who steps backwards needs them, and
 * farther away more and more sparsely, like the rows of a logarithmic ruler.  Memory for them
 * is bounded: when it is used up, the one that is missed least goes first. */
static void thin(struct checkpoints *all)
{
    struct checkpoint *next, *c;
    for (c = all->first; c; c = next) {
        next = c->newer;
        if (may_go(all, c) && c->newer->axis - c->older->axis <= gap_at(all, c))
            remove_one(all, c);
    }
    while (all->bytes > all->max_bytes && (c = least_needed(all)))
        remove_one(all, c);
    /* Walls stay while there is room; then the recording begins later. */
    while ((all->n_walls > MAX_WALLS || all->bytes > all->max_bytes) && all->first != all->here &&
           all->first != all->last && !all->first->pins)
        remove_one(all, all->first);
}

/* ---- taking and going back ---- */

/* The youngest that the machine has run past: a new one stands behind it. */
static struct checkpoint *place_for(const struct checkpoints *all, uint64_t progress)
{
    struct checkpoint *c = all->here;
    while (c && c->newer && c->newer->progress <= progress && !c->newer->wall)
        c = c->newer;
    return c;
}

#define KEY_STEP BIT(24)

/* Between its neighbours; if there is no number left, all get new ones. */
static void give_key(struct checkpoints *all, struct checkpoint *c, const struct checkpoint *older)
{
    const struct checkpoint *newer = older ? older->newer : NULL;
    uint64_t key = 0;
    if (newer && newer->key - older->key < 2)
        for (struct checkpoint *i = all->first; i; i = i->newer)
            i->key = key += KEY_STEP;
    c->key = !older ? KEY_STEP : newer ? older->key + (newer->key - older->key) / 2
                                       : older->key + KEY_STEP;
}

/* Only pages that are dirty since `here` are looked at, then they are clean again.  `axis`, the
 * checkpoint's place on the scale of gaps, is the time it takes to run there, so it never
 * decreases along the row, whatever the caller has measured. */
struct checkpoint *checkpoints_take(struct checkpoints *all, uint64_t ran_ns, bool wall)
{
    struct vm *vm = all->vm;
    struct checkpoint *older = place_for(all, vm_progress(vm)), *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    give_key(all, c, older);
    c->progress = vm_progress(vm);
    c->seq = vm->trace ? vm->trace->ring->head : 0;
    c->mask = vm->trace ? vm->trace->mask : 0;
    c->wall = wall;
    c->axis = all->here ? all->here->axis + ran_ns : 0;
    if (older && c->axis < older->axis)
        c->axis = older->axis;
    if (older && older->newer && c->axis > older->newer->axis)
        c->axis = older->newer->axis;
    if (!keep_state(all, c, older)) {
        free_one(all, c);
        return NULL;
    }
    link_behind(all, c, older);
    collect(all);
    bool whole = take_dirty(all, c, keep_page);
    rearm(all);
    all->here = c;
    bug_if(!whole, "no memory for a checkpoint");
    thin(all);
    return c;
}

static bool touch(struct checkpoints *all, struct checkpoint *c, uint32_t page)
{
    (void)c;
    all->touched[page / 8] |= (uint8_t)(1u << page % 8);
    return true;
}

/* Pages that may differ between two checkpoints: those of which a checkpoint that is younger than
 * the elder, and not younger than the younger, has a version. */
static void touch_between(struct checkpoints *all, const struct checkpoint *a,
                          const struct checkpoint *b)
{
    const struct checkpoint *elder = a->key < b->key ? a : b, *younger = a->key < b->key ? b : a;
    for (const struct checkpoint *c = younger; c != elder; c = c->older)
        for (const struct version *v = c->versions; v; v = v->next)
            touch(all, NULL, v->page);
}

static void put_page(struct checkpoints *all, const struct checkpoint *c, uint32_t page)
{
    const struct version *v = version_at(all, page, c->key);
    if (!is_same(v, page_now(all->pages, page)))
        page_set(all->pages, page, v ? v->data : NULL);
}

/* The pages are brought from `here`, plus what was written since, to what it was at c.  A page can
 * differ only if it is dirty, or if a checkpoint between the two has a version of it: the union
 * of both is collected in all->touched, and only those pages are compared and copied.  The
 * CPU's state comes last, since dropping caches for changed pages is done to the old state.
 * What loading itself marks as dirty is what c has already: those marks are thrown away. */
bool checkpoints_return(struct checkpoints *all, struct checkpoint *c)
{
    struct trace *t = all->vm->trace;
    uint64_t mask = t ? t->mask : 0;
    if (t)
        t->mask = 0;                    /* shadows that are dropped on the way are no events */
    if (boot_cpu(all->vm)->ops->drop)
        boot_cpu(all->vm)->ops->drop(boot_cpu(all->vm));
    collect(all);
    take_dirty(all, NULL, touch);
    touch_between(all, all->here, c);
    for (uint32_t i = 0; i < (all->n_pages + 7) / 8; i++)
        for (unsigned bit = 0; all->touched[i]; bit++)
            if (all->touched[i] >> bit & 1) {
                all->touched[i] &= (uint8_t)~(1u << bit);
                put_page(all, c, i * 8 + bit);
            }
    if (t)
        t->mask = mask;
    bool ok = load_state(all, c);
    take_dirty(all, NULL, touch);
    memset(all->touched, 0, (all->n_pages + 7) / 8);
    all->here = c;
    return ok;
}

/* ---- asking ---- */

struct checkpoint *checkpoints_at(const struct checkpoints *all, uint64_t progress)
{
    struct checkpoint *c = all->last;
    while (c && c->progress > progress)
        c = c->older;
    return c;
}

struct checkpoint *checkpoints_before_event(const struct checkpoints *all, uint64_t seq)
{
    struct checkpoint *c = all->last;
    while (c && c->seq >= seq)
        c = c->older;
    return c;
}

struct checkpoint *checkpoints_first(const struct checkpoints *all) { return all->first; }
struct checkpoint *checkpoints_last(const struct checkpoints *all)  { return all->last; }
struct checkpoint *checkpoints_here(const struct checkpoints *all)  { return all->here; }
size_t   checkpoints_count(const struct checkpoints *all)           { return all->n; }
uint64_t checkpoints_bytes(const struct checkpoints *all)           { return all->bytes; }

void checkpoints_cut_future(struct checkpoints *all)
{
    struct checkpoint *c = place_for(all, vm_progress(all->vm));
    while (all->last != c)
        remove_one(all, all->last);
}

void checkpoints_cut_older(struct checkpoints *all, struct checkpoint *c)
{
    while (all->first != c)
        remove_one(all, all->first);
}

/* ---- beginning and end ---- */

struct checkpoints *checkpoints_new(struct vm *vm, uint64_t max_bytes)
{
    struct checkpoints *all = calloc(1, sizeof *all);
    if (!all)
        return NULL;
    all->vm = vm;
    all->max_bytes = max_bytes;
    all->pages = pages_new(vm);
    all->n_pages = all->pages ? pages_count(all->pages) : 0;
    all->page = calloc((size_t)all->n_pages + 1, sizeof *all->page);
    all->touched = calloc(all->n_pages / 8 + 8, 1);
    if (all->pages && all->page && all->touched)
        return all;
    checkpoints_free(all);
    return NULL;
}

void checkpoints_free(struct checkpoints *all)
{
    if (!all)
        return;
    while (all->last)
        remove_one(all, all->last);
    free(all->page);
    free(all->touched);
    pages_free(all->pages);
    free(all);
}
