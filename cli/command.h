/* The table of commands. Everything that must know what the command line accepts is driven by it: the parser
 * (cli/args.h), help (cli/help.h), the man page (cli/man.h) and completion (cli/completion.h). A test holds
 * the four against each other. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

struct run;

/* What an option's or an argument's value is: checked by the parser, offered by completion. */
enum value_type {
    VALUE_FLAG,   /* an option without a value */
    VALUE_TEXT,   /* anything */
    VALUE_NUMBER, /* a whole number, low..high */
    VALUE_FILE,   /* a path */
    VALUE_FOLDER, /* a path */
    VALUE_CHOICE, /* one of `choices` */
    VALUE_SOURCE, /* the name of an observer */
    VALUE_KEY,    /* the name of a setting */
    VALUE_COMMAND,
};

struct option_def {
    const char *name; /* long, without "--" */
    char letter;      /* short, or 0 */
    enum value_type type;
    const char *value;   /* how the value is called in help; NULL for flags */
    const char *help;    /* one line, lower case, no full stop */
    const char *choices; /* VALUE_CHOICE: "a|b|c" */
    long low, high;      /* VALUE_NUMBER */
};

struct positional_def {
    const char *name; /* "ID"; NULL ends the list */
    enum value_type type;
    bool required;
    bool rest; /* takes all that is left */
    const char *choices;
};

#define OPTIONS_MAX 8
#define POSITIONALS_MAX 3

struct command {
    const char *name;
    const char *summary;                    /* one line */
    const char *usage;                      /* what follows the name, one form a line */
    const char *about;                      /* paragraphs, separated by empty lines; may be NULL */
    const char *examples;                   /* a command line a line; may be NULL */
    struct option_def options[OPTIONS_MAX]; /* ended by a NULL name when fewer */
    struct positional_def args[POSITIONALS_MAX];
    bool reads; /* needs no right to write */
    /* 0, an exit status > 0, or a negative error code with r->err filled. */
    int (*run)(struct run *r);
};

/* All commands in the order help shows them, ended by a NULL name. */
extern const struct command commands[];
/* Options that every command takes, ended by a NULL name. */
extern const struct option_def global_options[];
/* By name, or NULL. */
const struct command *command_find(const char *name);

/* Pages of help that belong to no command. */
struct topic {
    const char *name, *summary, *text;
};
extern const struct topic topics[];

/* The number of options of a command, or of the global list. */
size_t options_count(const struct option_def *list);
/* The option called `name`, or NULL. */
const struct option_def *option_find(const struct option_def *list, const char *name);

#endif
