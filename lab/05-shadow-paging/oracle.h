/*
 * lab/05-shadow-paging/oracle.h -- is what the processor can find in the shadow true?
 *
 * Looks from outside and knows nothing of how a part keeps its tables: for each page and each
 * kind of access it walks the shadow as the processor does (shadow_walk) and the guest's tables
 * as a processor without a monitor would (walk), and compares.  What differs is an INVARIANT
 * event (mem/invariant.h).
 *
 * The guest may change its tables and say nothing for a while, and a processor may use old
 * translations until it is told (INVLPG, a load of CR3): a shadow is a large TLB.  So the oracle
 * remembers what it has found true.  That stays allowed, the same or with fewer rights, until
 * the guest invalidates it; then it must be true again.  An entry that was right once, that
 * nobody has written since, and that the guest has invalidated is STALE; one that was never
 * right has a mistake of another name.
 */
#ifndef LAB_05_ORACLE_H
#define LAB_05_ORACLE_H

#include "base/trace.h"
#include "mem/shadow.h"

struct oracle;

struct oracle *oracle_new(struct gmem *m, const struct hmem *h, struct trace *t);
void oracle_free(struct oracle *o);

/* The guest has invalidated everything, and these are its registers now; or the page at gla. */
void oracle_switch(struct oracle *o, const struct paging *pg);
void oracle_invlpg(struct oracle *o, gla_t gla);

/* The guest is about to run on: look at all that r leads to.  False: there is more of it than
 * any shadow can need (the tables lead in circles). */
bool oracle_check(struct oracle *o, const struct shadow_regs *r);

/* The part is about to write this value into n entries of the table in `frame`, from `index` on,
 * or takes or gives back that frame.  (oracle is a struct oracle: a frames_written_fn of lab/common/frames.h.) */
void oracle_written(void *oracle, hpa_t frame, unsigned index, unsigned n, uint64_t value);

/* A part has judged a fault at gla; `root` is that of the tree in which such an access is looked
 * for, now, and `before` is what the guest's tables said when the part was asked. */
void oracle_judge(struct oracle *o, hpa_t root, gla_t gla, const struct walk *before,
                  bool is_true, uint32_t error);

#endif
