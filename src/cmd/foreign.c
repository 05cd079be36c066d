/*
 * cmd/foreign.c -- a table of other people's options.  Fingers remember `-kernel`; a sentence
 * with the right word is more help than the list of all options.
 */
#include "cmd/foreign.h"

#include <string.h>

#include "base/types.h"

static const struct { const char *word, *here; } known[] = {
    { "-kernel",     "name the kernel alone: vitrine run KERNEL" },
    { "-append",     "--append TEXT" },
    { "-initrd",     "--initrd FILE" },
    { "-bios",       "--bios FILE" },
    { "-m",          "--mem SIZE, for example --mem 128M" },
    { "-cpu",        "--cpu soft or --cpu kvm, which is who runs the guest" },
    { "-accel",      "--cpu kvm" },
    { "-enable-kvm", "--cpu kvm" },
    { "-s",          "--gdb tcp:1234, and the guest waits for gdb" },
    { "-S",          "--gdb WHERE, which waits before the first instruction" },
    { "-gdb",        "--gdb tcp:PORT or --gdb unix:PATH" },
    { "-d",          "--log-faults for exceptions; --trace FILE or --trace - for all else" },
    { "-D",          "--trace FILE" },
    { "-serial",     "nothing: the first serial line is this terminal" },
    { "-nographic",  "nothing: there is no window; Ctrl-A s shows the VGA text screen" },
    { "-display",    "nothing: there is no window; Ctrl-A s shows the VGA text screen" },
    { "-monitor",    "vitrine debug GUEST, which is the console" },
    { "-hda",        "name the image alone: vitrine run --format boot IMAGE" },
    { "-fda",        "name the image alone: vitrine run --format boot IMAGE" },
    { "-drive",      "name the image alone: vitrine run --format boot IMAGE" },
    { "-no-reboot",  "--no-reboot" },
    { "-q",          "--quiet" },
};

const char *foreign_option(const char *word)
{
    for (size_t i = 0; i < NELEM(known); i++)
        if (strcmp(known[i].word, word) == 0)
            return known[i].here;
    return NULL;
}
