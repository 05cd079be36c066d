/*
 * cmd/foreign.h -- options that people know from QEMU and Bochs, and what they are called here.
 */
#ifndef CMD_FOREIGN_H
#define CMD_FOREIGN_H

/* What to type instead of this word, as the end of a sentence; NULL: it is no such option. */
const char *foreign_option(const char *word);

#endif
