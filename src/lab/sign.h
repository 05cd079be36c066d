/*
 * lab/sign.h -- a result that says what it was computed from, under a teacher's signature.
 *
 * A results.json travels: through a queue, a student's mail, a spreadsheet.  With a signature
 * (Ed25519, by the program openssl) it can be told later whether it is the grader's own, of this
 * submission, this seed and this program.  The key stays with the grader; who checks needs only
 * its public half.
 *
 *     openssl genpkey -algorithm ed25519 -out key.pem
 *     openssl pkey -in key.pem -pubout -out key.pub
 *
 * What is signed is the result as compact JSON, without the signature itself.
 * [RFC 8032 "Edwards-Curve Digital Signature Algorithm (EdDSA)"]
 */
#ifndef LAB_SIGN_H
#define LAB_SIGN_H

#include "lab/build.h"

/* What a result was computed from.  Files; one that is not there is left out. */
struct lab_receipt {
    const char *lab;                    /* "07"                                          */
    uint64_t    seed;
    const char *submission;             /* a file, or a folder of files                  */
    const char *program, *monitor, *rules;
};

/* Add to the result `json` the receipt, as extra_data, and the signature with the private key in
 * the file `key`.  The new text is the caller's to free.  0; or -errno and a sentence in why. */
int lab_sign(const struct lab_receipt *r, const struct lab_folders *f, const char *key,
             const char *json, char **signed_json, char *why, size_t n);

/* Is the signature that of the public key in the file `key`?  And, if `submission` is not NULL,
 * is the result of that file?  0; -EBADMSG: no, and why; or -errno, and what was in the way. */
int lab_verify(const struct lab_folders *f, const char *key, const char *submission,
               const char *json, char *why, size_t n);

#endif
