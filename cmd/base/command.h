/*
 * command: the entry of each command. argv[0] is the command's name; the result is the exit code
 * (cmd/base/exit_code.h).
 */
#ifndef CMD_BASE_COMMAND_H
#define CMD_BASE_COMMAND_H

#include <stddef.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
};

int command_launch(int argc, char **argv);
int command_node(int argc, char **argv);
int command_put(int argc, char **argv);
int command_get(int argc, char **argv);
int command_head(int argc, char **argv);
int command_keys(int argc, char **argv);
int command_watch(int argc, char **argv);
int command_peers(int argc, char **argv);
int command_status(int argc, char **argv);
int command_health(int argc, char **argv);
int command_wait(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_export(int argc, char **argv);
int command_import(int argc, char **argv);
int command_keygen(int argc, char **argv);
int command_acl(int argc, char **argv);

#endif
