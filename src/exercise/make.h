/*
 * exercise/make.h -- the makers: what the table in list.c points to.
 *
 * Each writes one sheet (sheet.h), which is new and empty but for its seed.
 */
#ifndef EXERCISE_MAKE_H
#define EXERCISE_MAKE_H

struct sheet;

void make_layers(struct sheet *s);          /* layers.c      */
void make_classify(struct sheet *s);        /* classify.c    */
void make_theorem(struct sheet *s);         /* theorem.c     */
void make_counterexample(struct sheet *s);  /* counterexample.c */
void make_map(struct sheet *s);             /* map.c         */
void make_process_vm(struct sheet *s);      /* process_vm.c  */
void make_exits(struct sheet *s);           /* exits.c       */
void make_trace(struct sheet *s);           /* trace.c       */
void make_walk_32(struct sheet *s);         /* walk.c        */
void make_walk_pae(struct sheet *s);
void make_walk_64(struct sheet *s);
void make_walk_2d(struct sheet *s);         /* walk_2d.c     */
void make_shadow(struct sheet *s);          /* shadow.c      */
void make_ept_saves(struct sheet *s);       /* ept_saves.c   */
void make_pic(struct sheet *s);             /* pic.c         */
void make_pit(struct sheet *s);             /* pit.c         */
void make_storm(struct sheet *s);           /* storm.c       */
void make_disk(struct sheet *s);            /* disk.c        */
void make_balloon(struct sheet *s);         /* balloon.c     */
void make_stride(struct sheet *s);          /* stride.c      */
void make_credit(struct sheet *s);          /* credit.c      */
void make_consolidate(struct sheet *s);     /* consolidate.c */
void make_precopy(struct sheet *s);         /* precopy.c     */
void make_qos(struct sheet *s);             /* qos.c         */

#endif
