/*
 * command: the entry of each command. argv[0] is the command's name; the result is the exit code
 * (cmd/base/exit_code.h).
 */
#ifndef CMD_COMMANDS_H
#define CMD_COMMANDS_H

int launch_command(int argc, char **argv);
int node_command(int argc, char **argv);
int put_command(int argc, char **argv);
int get_command(int argc, char **argv);
int head_command(int argc, char **argv);
int keys_command(int argc, char **argv);
int watch_command(int argc, char **argv);
int peers_command(int argc, char **argv);
int status_command(int argc, char **argv);
int health_command(int argc, char **argv);
int wait_command(int argc, char **argv);
int bench_command(int argc, char **argv);

#endif
