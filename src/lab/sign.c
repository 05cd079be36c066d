/*
 * lab/sign.c -- receipts and signatures, by the program openssl.
 *
 * The numbers of a cJSON tree are printed in one way only, so a result that is read and printed
 * again is the same text: what was signed can be made anew from the file.
 */
#include "lab/sign.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/host.h"

#define SIGNATURE_BYTES 64
#define HASH_DIGITS     64

static int need_openssl(char *why, size_t n)
{
    if (lab_has_tool("openssl"))
        return 0;
    snprintf(why, n, "signing needs the program openssl: apt install openssl");
    return -ENOENT;
}

/* ---- hashes ---- */

/* SHA-256 of a file, as hexadecimal digits and a 0.  False: it cannot be read. */
static bool hash_file(const struct lab_folders *f, const char *path, char *hash)
{
    char said[PATH_MAX + 200];
    char *argv[] = { "openssl", "dgst", "-sha256", "-r", (char *)(uintptr_t)path, NULL };
    if (lab_run_tool(argv, f, NULL, said, sizeof said) || strlen(said) < HASH_DIGITS)
        return false;
    snprintf(hash, HASH_DIGITS + 1, "%.64s", said);
    return true;
}

/* The same of a folder: of the list of its files' hashes and names. */
static bool hash_folder(const struct lab_folders *f, const char *path, char *hash)
{
    char list[PATH_MAX + 16], file[PATH_MAX + 300];
    struct dirent **entry;
    snprintf(list, sizeof list, "%s/hashes", f->work);
    FILE *out = fopen(list, "we");
    int n = out ? scandir(path, &entry, NULL, alphasort) : -1;
    for (int i = 0; i < n; i++) {
        struct stat st;
        snprintf(file, sizeof file, "%s/%.255s", path, entry[i]->d_name);
        if (lstat(file, &st) == 0 && S_ISREG(st.st_mode) && hash_file(f, file, hash))
            fprintf(out, "%s %s\n", hash, entry[i]->d_name);
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
    bool ok = out && fclose(out) == 0 && n >= 0;
    return ok && hash_file(f, list, hash);
}

static bool hash_any(const struct lab_folders *f, const char *path, char *hash)
{
    struct stat st;
    if (!path || stat(path, &st))
        return false;
    return S_ISDIR(st.st_mode) ? hash_folder(f, path, hash) : hash_file(f, path, hash);
}

/* ---- signatures ---- */

static bool write_file(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "we");
    bool ok = f && fwrite(bytes, 1, size, f) == size;
    if (f)
        ok &= fclose(f) == 0;
    return ok;
}

/* Sign or check the text: openssl with two files of the work folder. */
static int run_openssl(const struct lab_folders *f, bool sign, const char *key, const char *text,
                       uint8_t *signature, char *why, size_t n)
{
    char message[PATH_MAX + 16], sig[PATH_MAX + 16], said[400];
    uint64_t size;
    void *bytes;
    snprintf(message, sizeof message, "%s/message", f->work);
    snprintf(sig, sizeof sig, "%s/signature", f->work);
    char *name = (char *)(uintptr_t)key;
    char *to_sign[] = { "openssl", "pkeyutl", "-sign", "-rawin", "-in", message, "-inkey", name,
                        "-out", sig, NULL };
    char *to_check[] = { "openssl", "pkeyutl", "-verify", "-rawin", "-in", message, "-pubin",
                         "-inkey", name, "-sigfile", sig, NULL };
    if (!write_file(message, text, strlen(text)) ||
        (!sign && !write_file(sig, signature, SIGNATURE_BYTES))) {
        snprintf(why, n, "%s: %s", f->work, strerror(errno));
        return -EIO;
    }
    int status = lab_run_tool(sign ? to_sign : to_check, f, NULL, said, sizeof said);
    if (!sign && status && strstr(said, "Verification Failure")) {
        snprintf(why, n, "the result was changed, or it was signed with another key");
        return -EBADMSG;
    }
    if (status) {
        snprintf(why, n, "openssl cannot use the key %s: %.*s", key,
                 (int)strcspn(said, "\n"), said);
        return -EINVAL;
    }
    if (!sign)
        return 0;
    int err = host_read_file(sig, 4096, &bytes, &size, why, n);
    if (!err && size != SIGNATURE_BYTES) {
        snprintf(why, n, "%s is no Ed25519 key", key);
        err = -EINVAL;
    }
    if (!err)
        memcpy(signature, bytes, SIGNATURE_BYTES);
    free(err ? NULL : bytes);
    return err;
}

/* The signature out of the tree, as bytes; the tree is without it then. */
static bool take_signature(cJSON *root, uint8_t *signature)
{
    cJSON *extra = cJSON_GetObjectItemCaseSensitive(root, "extra_data");
    cJSON *item = cJSON_DetachItemFromObjectCaseSensitive(extra, "signature");
    const char *text = cJSON_GetStringValue(item);
    bool ok = text && strlen(text) == 2 * SIGNATURE_BYTES;
    for (size_t i = 0; ok && i < SIGNATURE_BYTES; i++)
        ok = sscanf(text + 2 * i, "%2hhx", &signature[i]) == 1;
    cJSON_Delete(item);
    return ok;
}

/* ---- results ---- */

static bool add_receipt(cJSON *extra, const struct lab_receipt *r, const struct lab_folders *f)
{
    const struct { const char *name, *path; } files[] = {
        { "submission", r->submission }, { "program", r->program },
        { "monitor", r->monitor },       { "rules", r->rules },
    };
    char hash[HASH_DIGITS + 1], seed[24], when[32];
    time_t now = time(NULL);
    struct tm utc;
    snprintf(seed, sizeof seed, "%" PRIu64, r->seed);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    bool ok = cJSON_AddStringToObject(extra, "lab", r->lab) &&
              cJSON_AddStringToObject(extra, "seed", seed) &&
              cJSON_AddStringToObject(extra, "graded", when);
    for (size_t i = 0; ok && i < NELEM(files); i++)
        if (hash_any(f, files[i].path, hash))
            ok = cJSON_AddStringToObject(extra, files[i].name, hash);
    return ok;
}

int lab_sign(const struct lab_receipt *r, const struct lab_folders *f, const char *key,
             const char *json, char **signed_json, char *why, size_t n)
{
    uint8_t signature[SIGNATURE_BYTES];
    char digits[2 * SIGNATURE_BYTES + 1];
    cJSON *root = cJSON_Parse(json);
    cJSON *extra = root ? cJSON_AddObjectToObject(root, "extra_data") : NULL;
    *signed_json = NULL;
    int err = need_openssl(why, n);
    char *text = !err && extra && add_receipt(extra, r, f) ? cJSON_PrintUnformatted(root) : NULL;
    if (text)
        err = run_openssl(f, true, key, text, signature, why, n);
    if (text && !err) {
        for (size_t i = 0; i < SIGNATURE_BYTES; i++)
            snprintf(digits + 2 * i, 3, "%02x", signature[i]);
        if (cJSON_AddStringToObject(extra, "signature", digits))
            *signed_json = cJSON_Print(root);
    }
    free(text);
    cJSON_Delete(root);
    if (!err && !*signed_json) {
        snprintf(why, n, "there is not enough memory");
        err = -ENOMEM;
    }
    return err;
}

/* Is the receipt's hash that of this submission? */
static int check_submission(const cJSON *root, const struct lab_folders *f, const char *submission,
                            char *why, size_t n)
{
    char hash[HASH_DIGITS + 1];
    const cJSON *extra = cJSON_GetObjectItemCaseSensitive(root, "extra_data");
    const char *kept = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(extra, "submission"));
    if (!hash_any(f, submission, hash)) {
        snprintf(why, n, "%s cannot be read", submission);
        return -EIO;
    }
    if (kept && strcmp(kept, hash) == 0)
        return 0;
    snprintf(why, n, "the signature is right, but of another submission than %s", submission);
    return -EBADMSG;
}

int lab_verify(const struct lab_folders *f, const char *key, const char *submission,
               const char *json, char *why, size_t n)
{
    uint8_t signature[SIGNATURE_BYTES];
    cJSON *root = cJSON_Parse(json);
    int err = need_openssl(why, n);
    if (!err && (!root || !take_signature(root, signature))) {
        snprintf(why, n, "there is no signature in it");
        err = -EBADMSG;
    }
    char *text = err ? NULL : cJSON_PrintUnformatted(root);
    if (text)
        err = run_openssl(f, false, key, text, signature, why, n);
    if (!err && submission)
        err = check_submission(root, f, submission, why, n);
    free(text);
    cJSON_Delete(root);
    return err;
}
