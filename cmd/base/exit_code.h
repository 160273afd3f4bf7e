/*
 * exit_code: what the program's exit code says. Public: scripts depend on it. As in sysexits.h from
 * 64 on.
 */
#ifndef CMD_BASE_EXIT_CODE_H
#define CMD_BASE_EXIT_CODE_H

enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FAILED = 1,        /* the operation failed */
    EXIT_CODE_USAGE = 2,         /* the command line makes no sense */
    EXIT_CODE_NO_PORT = 69,      /* EX_UNAVAILABLE: no port was free */
    EXIT_CODE_INTERNAL = 70,     /* EX_SOFTWARE */
    EXIT_CODE_NOT_FORMED = 75,   /* EX_TEMPFAIL: an all-or-nothing start failed */
    EXIT_CODE_BAD_CONFIG = 78,   /* EX_CONFIG */
    EXIT_CODE_INTERRUPTED = 130, /* as shells say it of SIGINT */
};

#endif
