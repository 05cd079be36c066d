/*
 * exercise/sheet.h -- one exercise as it is handed out: what is given, the questions, the answers.
 *
 * A seed makes a sheet.  The maker of an exercise (struct exercise) draws numbers, says what is
 * given, and asks; with each question it puts the answer, computed, and how one comes to it.
 * What becomes of a sheet is not its affair: print.h prints it with or without the answers,
 * judges a student's, or exports it for a learning platform.
 *
 *     sheet_say(s, "The 8259A has lines 0 to 7.");          a paragraph of what is given
 *     sheet_show(s, "line %u is high", n);                  a line that is not to be broken
 *     sheet_ask_number(s, 3, "Which line is served?");
 *     sheet_because(s, "Line 3 is the lowest number ...");  a paragraph of the solution
 *
 * The same seed gives the same sheet on every machine.  Memory that runs out is a bug().
 */
#ifndef EXERCISE_SHEET_H
#define EXERCISE_SHEET_H

#include "base/types.h"

struct exercise;

/* Text that grows: paragraphs and lines, each ended by '\n'; lines that begin with a blank are
 * shown as they are, the others are broken where the page ends. */
struct sheet_text { char *s; size_t n; };

enum answer_kind {
    ANSWER_NUMBER,              /* written in decimal                                  */
    ANSWER_HEX,                 /* an address or a register                            */
    ANSWER_CHOICE,              /* one of a few                                        */
    ANSWER_WORDS,               /* words or numbers in a row, with blanks between them */
};

struct question {
    enum answer_kind   kind;
    struct sheet_text  text;
    uint64_t           number;          /* NUMBER, HEX; of a CHOICE which, from 0      */
    const char *const *choices;         /* CHOICE: static strings                      */
    unsigned           n_choices;
    struct sheet_text  words;           /* WORDS                                       */
    struct sheet_text  because;         /* the way to the answer                       */
};

#define SHEET_QUESTIONS 12

struct sheet {
    const struct exercise *of;
    uint64_t          seed;
    uint64_t          random;           /* state of the generator      */
    struct sheet_text given;
    struct question   question[SHEET_QUESTIONS];
    unsigned          n_questions;
};

/* Make it; free it with sheet_free(). */
void sheet_make(struct sheet *s, const struct exercise *of, uint64_t seed);
void sheet_free(struct sheet *s);

/* ---- for the makers ---- */

/* A number from lo to hi, both included. */
unsigned sheet_pick(struct sheet *s, unsigned lo, unsigned hi);

/* Bring the n elements of `bytes` each at `array` into an order of chance. */
void sheet_shuffle(struct sheet *s, void *array, size_t n, size_t bytes);

#define SHEET_PRINTF(n) __attribute__((format(printf, n, (n) + 1)))

void sheet_say(struct sheet *s, const char *fmt, ...) SHEET_PRINTF(2);
void sheet_show(struct sheet *s, const char *fmt, ...) SHEET_PRINTF(2);

/* At most SHEET_QUESTIONS of these. */
void sheet_ask_number(struct sheet *s, uint64_t answer, const char *fmt, ...) SHEET_PRINTF(3);
void sheet_ask_hex(struct sheet *s, uint64_t answer, const char *fmt, ...) SHEET_PRINTF(3);
void sheet_ask_choice(struct sheet *s, const char *const *choices, unsigned n, unsigned answer,
                      const char *fmt, ...) SHEET_PRINTF(5);
void sheet_ask_words(struct sheet *s, const char *answer, const char *fmt, ...) SHEET_PRINTF(3);

/* Why: a paragraph, or a line, about the latest question. */
void sheet_because(struct sheet *s, const char *fmt, ...) SHEET_PRINTF(2);
void sheet_because_line(struct sheet *s, const char *fmt, ...) SHEET_PRINTF(2);

/* More behind a text, without an end of line. */
void sheet_text_add(struct sheet_text *t, const char *fmt, ...) SHEET_PRINTF(2);

extern const char *const sheet_yes_no[2];       /* choices: 0 is "yes", 1 "no" */

#endif
