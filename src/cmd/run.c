/*
 * cmd/run.c -- vitrine run: run a guest.
 */
#include "cmd/cmd.h"
#include "cmd/session.h"

int cmd_run(int argc, char **argv)
{
    struct run_options o;
    bool done;
    int err = options_parse(argc, argv, &o, &done);
    if (done)
        options_help("run", "[options] GUEST", stdout);
    if (err || done)
        return err;
    return session_run(&o);
}
