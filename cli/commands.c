/* The table itself: commands, global options and topics, in the order help shows them. */
#include "cli/command.h"

#include "cli/run.h"

#include <string.h>

#define MAX_OPTION(what)                                                                                     \
    {                                                                                                        \
        .name = "max", .letter = 'n', .type = VALUE_NUMBER, .value = "N", .help = "at most N " what,         \
        .low = 1, .high = 100000                                                                             \
    }
#define SCOPE_OPTION                                                                                         \
    {                                                                                                        \
        .name = "scope", .type = VALUE_TEXT, .value = "SCOPE",                                               \
        .help = "the part of life it belongs to, such as work"                                               \
    }
#define AT_OPTION                                                                                            \
    {                                                                                                        \
        .name = "at", .type = VALUE_TEXT, .value = "TIME",                                                   \
        .help = "as if it were that time (2026-11-24 or RFC 3339)"                                           \
    }
#define UNDO_OPTION                                                                                          \
    {                                                                                                        \
        .name = "undo", .type = VALUE_FLAG, .help = "take it back"                                           \
    }
#define ID_ARG                                                                                               \
    {                                                                                                        \
        .name = "ID", .type = VALUE_TEXT, .required = true                                                   \
    }

const struct option_def global_options[] = {
    {.name = "json", .type = VALUE_FLAG, .help = "print one JSON document; errors too"},
    {.name = "home",
     .type = VALUE_FOLDER,
     .value = "DIR",
     .help = "the data folder, instead of SELFSAME_HOME"},
    {.name = "color",
     .type = VALUE_CHOICE,
     .value = "WHEN",
     .choices = "auto|always|never",
     .help = "when to use colour: auto, always, never"},
    {.name = "quiet", .letter = 'q', .type = VALUE_FLAG, .help = "say only what was asked for, and errors"},
    {.name = "help", .letter = 'h', .type = VALUE_FLAG, .help = "explain the command"},
    {.name = "version", .type = VALUE_FLAG, .help = "print the version"},
    {.name = NULL},
};

const struct command commands[] = {
    {
        .name = "init",
        .summary = "make this device",
        .usage = "[--name NAME]\n--renew [--words]",
        .about =
            "Makes the data folder, readable by you alone, and in it a device with its own log. Nothing is "
            "observed until you import something.\n"
            "\n"
            "With --renew the device in the folder gets new keys, and with them a new identity, over the "
            "same "
            "model: for a copied folder, and for one whose key file was lost. It is to be paired again; with "
            "--words, the recovery words are read from the terminal and bring it back into its group.",
        .examples = "selfsame init --name laptop\nselfsame init --renew\nselfsame init --renew --words",
        .options = {{.name = "name",
                     .type = VALUE_TEXT,
                     .value = "NAME",
                     .help = "what to call the device; otherwise the name of the host"},
                    {.name = "renew",
                     .type = VALUE_FLAG,
                     .help = "new keys for the device in the folder: a copy, or one whose key file is lost"},
                    {.name = "words", .type = VALUE_FLAG, .help = "with --renew: by the recovery words"}},
        .run = cmd_init,
    },
    {
        .name = "status",
        .summary = "what this device holds and what needs attention",
        .usage = "",
        .about =
            "Shows the device, the size of its model, the digest of the model as words (two devices with the "
            "same words hold the same model), what was observed from which source, what is watched, and what "
            "needs attention.",
        .examples = "selfsame status\nselfsame status --json",
        .reads = true,
        .run = cmd_status,
    },
    {
        .name = "import",
        .summary = "learn from a history",
        .usage = "SOURCE [PATH...] [--watch]\n--list",
        .about =
            "Reads a history, audits every record, keeps what passes and works out what it says about you. "
            "Without PATH the usual places are tried. Importing again reads only what is new, and an event "
            "that "
            "occurs in two exports counts once.\n"
            "\n"
            "A record that cannot be read is named with file, line and field; the others are kept, and the "
            "exit "
            "status stays 0. Ctrl-C keeps what was read so far.\n"
            "\n"
            "The source 'image' takes pictures (PNG, JPEG, WebP, GIF) and folders of them. What is on one is "
            "told by "
            "the language model of endpoint.vision-model, or endpoint.model, one after another; what it says "
            "is "
            "audited and kept, the picture is not. Those that cannot be described now wait for the node.\n"
            "\n"
            "With PATH '-' the source 'jsonl' is read from standard input: one JSON object a line with time, "
            "source, and any of end, app, title, text, url, command, cwd, files, id.",
        .examples =
            "selfsame import --list\nselfsame import bash\nselfsame import firefox ~/old-profile\n"
            "selfsame import git ~/src/project --watch\nselfsame import image shot.png photo.jpg\n"
            "selfsame import image ~/Pictures/Screenshots --watch\nselfsame import jsonl - < records.jsonl",
        .options = {{.name = "list",
                     .letter = 'l',
                     .type = VALUE_FLAG,
                     .help = "list the sources and which of them are found here"},
                    {.name = "watch",
                     .letter = 'w',
                     .type = VALUE_FLAG,
                     .help = "from now on let the node pick up what is new"}},
        .args = {{.name = "SOURCE", .type = VALUE_SOURCE},
                 {.name = "PATH", .type = VALUE_FILE, .rest = true}},
        .run = cmd_import,
    },
    {
        .name = "show",
        .summary = "what the model says about you",
        .usage = "[--all] [--kind KIND] [--scope SCOPE] [--at TIME] [--max N]",
        .about = "Lists propositions: pinned ones first, then the most certain and most recently supported. "
                 "What has "
                 "faded, ended, was dropped or has confidence 0 is hidden unless --all is given.\n"
                 "\n"
                 "The sign in front: @ pinned, \xe2\x97\x86 said or confirmed by you, \xc3\x97 in conflict, "
                 "\xe2\x97\x8b learnt, ~ left out.",
        .examples = "selfsame show\nselfsame show --kind tool\nselfsame show --all --max 200",
        .options = {{.name = "all",
                     .letter = 'a',
                     .type = VALUE_FLAG,
                     .help = "faded, dropped and rejected ones too"},
                    {.name = "kind",
                     .type = VALUE_TEXT,
                     .value = "KIND",
                     .help = "of one kind only, such as tool, routine, topic"},
                    SCOPE_OPTION,
                    AT_OPTION,
                    MAX_OPTION("of them")},
        .reads = true,
        .run = cmd_show,
    },
    {
        .name = "query",
        .summary = "ask the model",
        .usage = "TEXT... [--context FILE] [--scope SCOPE] [--all] [--at TIME] [--max N]",
        .about = "Lists the propositions that matter most for a question or a task, best first.\n"
                 "\n"
                 "--context names a file with earlier turns of a conversation, one JSON object with role and "
                 "text a "
                 "line; they count less than TEXT.",
        .examples = "selfsame query which editor\nselfsame query --context turns.jsonl 'plan my week'",
        .options = {{.name = "context",
                     .type = VALUE_FILE,
                     .value = "FILE",
                     .help = "earlier turns, one {\"role\",\"text\"} a line; - is standard input"},
                    {.name = "max",
                     .letter = 'n',
                     .type = VALUE_NUMBER,
                     .value = "N",
                     .help = "at most N of them, otherwise 10",
                     .low = 1,
                     .high = 1000},
                    SCOPE_OPTION,
                    {.name = "all", .letter = 'a', .type = VALUE_FLAG, .help = "faded and rejected ones too"},
                    AT_OPTION},
        .args = {{.name = "TEXT", .type = VALUE_TEXT, .required = true, .rest = true}},
        .reads = true,
        .run = cmd_query,
    },
    {
        .name = "why",
        .summary = "explain a proposition",
        .usage = "ID [--max N]",
        .about = "Shows the reasoning behind a proposition, what each device and source counts for and "
                 "against it, "
                 "the observations it rests on, and every change made to it.",
        .examples = "selfsame why k7q\nselfsame why k7q --max 100",
        .options = {MAX_OPTION("observations, otherwise 20")},
        .args = {ID_ARG},
        .reads = true,
        .run = cmd_why,
    },
    {
        .name = "log",
        .summary = "what was observed, what the audit did, what was sent",
        .usage = "[--source S] [--since TIME] [--max N]\n--audit\n--sent [--max N]",
        .about =
            "Lists observations, newest first. With --audit: how often which rule dropped or redacted "
            "something, "
            "without its content. With --sent: what was sent to a language model's endpoint, when and why, "
            "of which sources, how much of it, to where; without its content.",
        .examples = "selfsame log --source bash --max 20\nselfsame log --audit\nselfsame log --sent",
        .options = {{.name = "audit", .type = VALUE_FLAG, .help = "the decisions of the audit instead"},
                    {.name = "sent",
                     .type = VALUE_FLAG,
                     .help = "what was sent to a language model's endpoint instead"},
                    {.name = "source", .type = VALUE_SOURCE, .value = "S", .help = "of one source only"},
                    {.name = "since",
                     .type = VALUE_TEXT,
                     .value = "TIME",
                     .help = "from that time on (2026-11-24 or RFC 3339)"},
                    MAX_OPTION("of them, otherwise 50")},
        .reads = true,
        .run = cmd_log,
    },
    {
        .name = "tell",
        .summary = "say something about yourself",
        .usage = "TEXT... [--confidence N] [--decay N] [--scope SCOPE] [--pin]\n--file FILE",
        .about =
            "Adds a proposition in your own words. It outranks whatever the model infers.\n"
            "\n"
            "--file takes one proposition a line, or one JSON object "
            "{\"text\",\"confidence\",\"decay\",\"scope\","
            "\"pinned\"} a line; '-' is standard input. A line that cannot be read is named; the others are "
            "kept.",
        .examples =
            "selfsame tell 'prefers plain-text mail'\nselfsame tell --pin --scope work is on call this week\n"
            "selfsame tell --file about-me.txt",
        .options = {{.name = "file",
                     .letter = 'f',
                     .type = VALUE_FILE,
                     .value = "FILE",
                     .help = "read them from a file; - is standard input"},
                    {.name = "confidence",
                     .type = VALUE_NUMBER,
                     .value = "N",
                     .help = "how sure you are, 1 to 10",
                     .low = 1,
                     .high = 10},
                    {.name = "decay",
                     .type = VALUE_NUMBER,
                     .value = "N",
                     .help = "how long it stays true: 1 hours, 5 weeks, 10 years",
                     .low = 1,
                     .high = 10},
                    SCOPE_OPTION,
                    {.name = "pin", .type = VALUE_FLAG, .help = "always list it first"}},
        .args = {{.name = "TEXT", .type = VALUE_TEXT, .rest = true}},
        .run = cmd_tell,
    },
    {
        .name = "confirm",
        .summary = "say that a proposition is true",
        .usage = "ID [--undo]",
        .about = "Your verdict outranks any evidence, on all your devices.",
        .examples = "selfsame confirm k7q",
        .options = {UNDO_OPTION},
        .args = {ID_ARG},
        .run = cmd_confirm,
    },
    {
        .name = "reject",
        .summary = "say that a proposition is wrong",
        .usage = "ID [--undo]",
        .about = "A rejected proposition has confidence 0 and is hidden. It stays known as wrong, so that it "
                 "is not "
                 "learnt again. To remove it for good use: selfsame forget",
        .examples = "selfsame reject k7q",
        .options = {UNDO_OPTION},
        .args = {ID_ARG},
        .run = cmd_reject,
    },
    {
        .name = "pin",
        .summary = "always list a proposition first",
        .usage = "ID [--undo]",
        .examples = "selfsame pin k7q\nselfsame pin k7q --undo",
        .options = {UNDO_OPTION},
        .args = {ID_ARG},
        .run = cmd_pin,
    },
    {
        .name = "edit",
        .summary = "put a proposition in your own words",
        .usage = "ID TEXT...",
        .about = "The new text stays, whatever the model infers later.",
        .examples = "selfsame edit k7q 'uses vim for mail, emacs for code'",
        .args = {ID_ARG, {.name = "TEXT", .type = VALUE_TEXT, .required = true, .rest = true}},
        .run = cmd_edit,
    },
    {
        .name = "forget",
        .summary = "erase for good",
        .usage = "ID [--keep-observations] [--dry-run] [--force]\n"
                 "--source S [--since TIME] [--until TIME] [--dry-run] [--force]",
        .about =
            "Erases a proposition with the observations it rests on, or everything observed from a source in "
            "a "
            "span of time. The bytes leave every file of the data folder, what was learnt from them is "
            "worked "
            "out anew, and importing the same history again does not bring them back. There is no undo.\n"
            "\n"
            "Asks first when standard input is a terminal; otherwise it needs --force.",
        .examples = "selfsame forget k7q --dry-run\nselfsame forget k7q\n"
                    "selfsame forget --source bash --since 2026-03-01 --until 2026-03-08",
        .options =
            {{.name = "source", .type = VALUE_SOURCE, .value = "S", .help = "all that this source observed"},
             {.name = "since", .type = VALUE_TEXT, .value = "TIME", .help = "from that time on"},
             {.name = "until",
              .type = VALUE_TEXT,
              .value = "TIME",
              .help = "up to that time, otherwise all of it"},
             {.name = "keep-observations", .type = VALUE_FLAG, .help = "erase the proposition only"},
             {.name = "dry-run", .type = VALUE_FLAG, .help = "only say what would go"},
             {.name = "force", .type = VALUE_FLAG, .help = "do not ask"}},
        .args = {{.name = "ID", .type = VALUE_TEXT}},
        .run = cmd_forget,
    },
    {
        .name = "pause",
        .summary = "observe nothing for a while",
        .usage = "[DURATION]\noff",
        .about = "For the given time (an hour when none is given) nothing is observed, and records made in "
                 "that time "
                 "are left out even when their history is imported later. 'off' ends it.",
        .examples = "selfsame pause 30m\nselfsame pause 1h30m\nselfsame pause off",
        .args = {{.name = "DURATION", .type = VALUE_TEXT}},
        .run = cmd_pause,
    },
    {
        .name = "resume",
        .summary = "end a pause",
        .usage = "",
        .about = "The same as: selfsame pause off",
        .run = cmd_resume,
    },
    {
        .name = "config",
        .summary = "list or change settings",
        .usage = "[KEY]\nKEY VALUE\nKEY --add LINE\nKEY --remove LINE\nKEY --unset",
        .about = "Without arguments lists all settings. A setting that is a list of lines takes --add and "
                 "--remove.",
        .examples = "selfsame config\nselfsame config audit.email on\n"
                    "selfsame config audit.rules --add 'drop site=bank.example'\n"
                    "selfsame config audit.rules --remove 'drop site=bank.example'",
        .options = {{.name = "add", .type = VALUE_TEXT, .value = "LINE", .help = "add a line"},
                    {.name = "remove", .type = VALUE_TEXT, .value = "LINE", .help = "take a line away"},
                    {.name = "unset", .type = VALUE_FLAG, .help = "go back to the default"}},
        .args = {{.name = "KEY", .type = VALUE_KEY}, {.name = "VALUE", .type = VALUE_TEXT}},
        .run = cmd_config,
    },
    {
        .name = "share",
        .summary = "what of each source reaches your other devices",
        .usage = "\nSOURCE nothing|counts|text|default",
        .about = "Without arguments lists every source and what of it leaves this device. nothing: nothing "
                 "is learnt "
                 "from it. counts, the default: what was learnt, how often and when, never the content. "
                 "text: besides, "
                 "a few short excerpts behind each proposition. SOURCE '*' means all that have no level of "
                 "their own.\n"
                 "\n"
                 "It holds for this device alone. Narrowing takes back what was shared, on every device.",
        .examples = "selfsame share\nselfsame share bash nothing\nselfsame share git text\nselfsame share "
                    "bash default",
        .args = {{.name = "SOURCE", .type = VALUE_SOURCE}, {.name = "LEVEL", .type = VALUE_TEXT}},
        .run = cmd_share,
    },
    {
        .name = "watch",
        .summary = "list what the node watches",
        .usage = "\n--remove SOURCE PATH",
        .about =
            "The node (selfsamed) picks up what is new in these files. Add one with: selfsame import --watch",
        .examples = "selfsame watch\nselfsame watch --remove bash ~/.bash_history",
        .options = {{.name = "remove", .type = VALUE_FLAG, .help = "no longer watch PATH"}},
        .args = {{.name = "SOURCE", .type = VALUE_SOURCE}, {.name = "PATH", .type = VALUE_FILE}},
        .run = cmd_watch,
    },
    {
        .name = "pair",
        .summary = "add another device of yours",
        .usage = "[--history WHICH] [--yes]\nCODE [--address HOST:PORT] [--yes]\n--stop",
        .about =
            "On one device 'selfsame pair' shows a code; on the other it is typed. Both show the "
            "other's name "
            "and ask. Then both hold one model; what each had before is kept.\n"
            "\n"
            "Both need a running node (selfsamed). They find each other on the same network; elsewhere "
            "--address says where the device that shows the code listens.\n"
            "\n"
            "The code is good for ten minutes and three tries, for one device, and as long as the command "
            "that shows it runs. --stop ends a pairing whose command is gone.",
        .examples =
            "selfsame pair\nselfsame pair 4821-7309\nselfsame pair 4821-7309 --address 10.0.0.7:21736",
        .options =
            {{.name = "address",
              .type = VALUE_TEXT,
              .value = "HOST:PORT",
              .help = "where the other device listens"},
             {.name = "history",
              .type = VALUE_TEXT,
              .value = "WHICH",
              .help = "what the new device may read of the past: all, 90d or none"},
             {.name = "yes", .letter = 'y', .type = VALUE_FLAG, .help = "answer the question beforehand"},
             {.name = "stop", .type = VALUE_FLAG, .help = "end a pairing that is under way on this device"}},
        .args = {{.name = "CODE", .type = VALUE_TEXT}},
        .run = cmd_pair,
    },
    {
        .name = "recover",
        .summary = "make a lost device anew from the recovery words",
        .usage = "[--address HOST:PORT]",
        .about = "On a new device, made by 'selfsame init' and with its node (selfsamed) running: reads the "
                 "24 words "
                 "of 'selfsame devices words' from the terminal, or a line of standard input, finds any "
                 "device of the "
                 "group on the same network, and becomes a member with keys of its own. Nobody is asked on "
                 "the other "
                 "side. The whole model comes in; what this device had before is kept.\n"
                 "\n"
                 "The words are used up by it: write down new ones.",
        .examples = "selfsame recover\nselfsame recover --address 10.0.0.7:21736 <words.txt",
        .options = {{.name = "address",
                     .type = VALUE_TEXT,
                     .value = "HOST:PORT",
                     .help = "where one of your devices listens"}},
        .run = cmd_recover,
    },
    {
        .name = "devices",
        .summary = "list and manage your devices",
        .usage = "\nrename DEVICE NAME\nremove DEVICE [--force]\nrotate\nwords [--check | --revoke]",
        .about =
            "Lists the devices, what each lacks, when it was last seen, and whether its clock is off. What "
            "it "
            "says comes from what a device has acknowledged, never from what was sent.\n"
            "\n"
            "remove: from then on nothing is encrypted to that device; what it has it keeps. rotate: a new "
            "key "
            "for what is written from now on. words: 24 words to write down, from which a lost device is "
            "made "
            "anew as long as one other device is there (selfsame recover). New ones replace those before.",
        .examples =
            "selfsame devices\nselfsame devices rename desktop workshop\nselfsame devices remove phone",
        .options = {{.name = "force", .letter = 'f', .type = VALUE_FLAG, .help = "remove without asking"},
                    {.name = "check",
                     .type = VALUE_FLAG,
                     .help = "with words: type them to see whether they are right"},
                    {.name = "revoke", .type = VALUE_FLAG, .help = "with words: they no longer count"}},
        .args = {{.name = "WHAT", .type = VALUE_TEXT},
                 {.name = "DEVICE", .type = VALUE_TEXT},
                 {.name = "NAME", .type = VALUE_TEXT}},
        .run = cmd_devices,
    },
    {
        .name = "sync",
        .summary = "meet the other devices now",
        .usage = "",
        .about = "Dials every device whose address is known, and says how it stands with each. The node does "
                 "this by itself; the command is for the impatient.",
        .examples = "selfsame sync",
        .run = cmd_sync,
    },
    {
        .name = "think",
        .summary = "let the language model look at what waits",
        .usage = "[--all]",
        .about =
            "With a language model in the settings (endpoint.url, endpoint.model) the node thinks about new "
            "records in batches, by itself. This does it at once, shows how it goes and ends when nothing "
            "waits. Ctrl-C leaves; nothing is lost, and nothing is done twice.\n"
            "\n"
            "With several devices one thinks for all. The others hand it, sealed, what think.share lets go "
            "(selfsame config think.share --add \"SOURCE local\"; remote: also when its model is on another "
            "machine); selfsame log --sent lists what went. Here this does it at once and does not wait for "
            "that device.\n"
            "\n"
            "The model sees what the audit let through, of the sources that endpoint.sources lets in, and "
            "never "
            "those that share nothing. Its claims begin with less confidence than it states; your verdicts "
            "teach "
            "how much less.",
        .examples = "selfsame think\nselfsame think --all",
        .options = {{.name = "all",
                     .letter = 'a',
                     .type = VALUE_FLAG,
                     .help = "about all records held, also those of before it was set up"}},
        .run = cmd_think,
    },
    {
        .name = "norms",
        .summary = "say what may be learnt of what is said where",
        .usage = "\nadd TEXT...\nremove N|TEXT...",
        .about =
            "Lists your norms, sentences such as 'nothing that friends write to me'. For the sources named "
            "in "
            "the setting audit.context, the language model first holds each record against them; what does "
            "not clearly pass goes no further, and selfsame log --audit counts why. They hold on all your "
            "devices.",
        .examples = "selfsame norms\nselfsame norms add 'nothing about health'\nselfsame norms remove 1",
        .args = {{.name = "ACTION", .type = VALUE_TEXT}, {.name = "TEXT", .type = VALUE_TEXT, .rest = true}},
        .run = cmd_norms,
    },
    {
        .name = "conflicts",
        .summary = "where two devices disagree",
        .usage = "",
        .about = "Lists what was changed by hand on two devices without either knowing of the other, and "
                 "revisions that contradict each other. Nothing is lost meanwhile: one value is shown, the "
                 "others are "
                 "kept.",
        .examples = "selfsame conflicts",
        .reads = true,
        .run = cmd_conflicts,
    },
    {
        .name = "resolve",
        .summary = "settle a disagreement, everywhere",
        .usage = "ID [--take N] [--field FIELD]",
        .about = "Takes the N-th value that 'selfsame conflicts' lists for the proposition (1, the one "
                 "shown, when "
                 "not given) and tells every device.",
        .examples = "selfsame resolve q2v\nselfsame resolve q2v --take 2",
        .options = {{.name = "take",
                     .letter = 't',
                     .type = VALUE_NUMBER,
                     .value = "N",
                     .help = "the value to take, as numbered",
                     .low = 1,
                     .high = 99},
                    {.name = "field",
                     .type = VALUE_TEXT,
                     .value = "FIELD",
                     .help = "when several fields disagree: which"}},
        .args = {{.name = "ID", .type = VALUE_TEXT, .required = true}},
        .run = cmd_resolve,
    },
    {
        .name = "lock",
        .summary = "forget the keys until unlocked",
        .usage = "",
        .about = "Makes the running node forget the device's keys. Only of use with a passphrase.",
        .examples = "selfsame lock",
        .run = cmd_lock,
    },
    {
        .name = "unlock",
        .summary = "open the keys with the passphrase",
        .usage = "[--words]",
        .about =
            "Reads the passphrase, or the recovery words, from the terminal or a line of standard input.",
        .examples = "selfsame unlock\nselfsame unlock --words",
        .options = {{.name = "words", .type = VALUE_FLAG, .help = "with the recovery words instead"}},
        .run = cmd_unlock,
    },
    {
        .name = "passphrase",
        .summary = "protect the keys with a passphrase",
        .usage = "[--remove]",
        .about =
            "Sets or changes the passphrase of the key file. Without one the keys lie open to whoever can "
            "read your files. One that is set already is asked for first; where standard input is not a "
            "terminal, its lines are the new one and then the one before.",
        .examples = "selfsame passphrase\nselfsame passphrase --remove",
        .options = {{.name = "remove", .type = VALUE_FLAG, .help = "have none again"}},
        .run = cmd_passphrase,
    },
    {
        .name = "doctor",
        .summary = "look for what is wrong",
        .usage = "",
        .about =
            "Checks permissions, free space, the database, the logs and their hashes, the clock, the audit "
            "rules "
            "and what is watched; says what mends each fault. Changes nothing. Exit status 7 when something "
            "needs attention.",
        .reads = true,
        .run = cmd_doctor,
    },
    {
        .name = "export",
        .summary = "write out the whole model",
        .usage = "[--format FORMAT] > FILE",
        .about = "Writes every proposition, hidden ones too, with reasoning and counts: as JSON lines, as "
                 "one JSON "
                 "document, or as Markdown to read.",
        .examples = "selfsame export > model.jsonl\nselfsame export --format markdown > about-me.md",
        .options = {{.name = "format",
                     .type = VALUE_CHOICE,
                     .value = "FORMAT",
                     .choices = "jsonl|json|markdown",
                     .help = "jsonl (one proposition a line), json, markdown"}},
        .reads = true,
        .run = cmd_export,
    },
    {
        .name = "completion",
        .summary = "print completion for a shell",
        .usage = "bash|zsh|fish",
        .examples = "selfsame completion bash > ~/.local/share/bash-completion/completions/selfsame\n"
                    "selfsame completion zsh > ~/.zfunc/_selfsame\n"
                    "selfsame completion fish > ~/.config/fish/completions/selfsame.fish",
        .args = {{.name = "SHELL", .type = VALUE_CHOICE, .required = true, .choices = "bash|zsh|fish"}},
        .run = cmd_completion,
    },
    {
        .name = "help",
        .summary = "explain a command or a topic",
        .usage = "[COMMAND|TOPIC]\n--man [selfsame|selfsamed]",
        .about = "With --man prints the source of the manual page; with --json the commands, their usage and "
                 "options.",
        .examples = "selfsame help import\nselfsame help audit\nselfsame help --man | man -l -",
        .options = {{.name = "man", .type = VALUE_FLAG, .help = "print the manual page as roff"}},
        .args = {{.name = "TOPIC", .type = VALUE_COMMAND}},
        .run = cmd_help,
    },
    {
        .name = "version",
        .summary = "print the version",
        .usage = "",
        .run = cmd_version,
    },
    {.name = NULL},
};

const struct topic topics[] = {
    {"audit", "what is never observed, and how to say it",
     "Every record is audited before anything else sees it. Payment cards, IBANs, private keys, tokens, and\n"
     "passwords on command lines and in URLs are cut out; e-mail addresses and phone numbers too when\n"
     "audit.email and audit.phone are on. Records made in private windows are dropped. When the audit "
     "itself\n"
     "fails, the record is dropped.\n"
     "\n"
     "The setting audit.rules holds rules of your own, one a line; the first that fits decides:\n"
     "\n"
     "  drop|keep [source=GLOB] [app=GLOB] [site=GLOB] [path=GLOB] [title=GLOB] [command=GLOB]\n"
     "            [hours=HH:MM-HH:MM] [days=mon,tue-fri] [private]\n"
     "\n"
     "In GLOB * is any text and ? one character, upper and lower case alike. site fits a host and its\n"
     "subdomains, path a working directory, a file or a file URL; hours are those of your clock. All "
     "conditions\n"
     "of a rule must hold.\n"
     "\n"
     "  selfsame config audit.rules --add 'drop site=bank.example'\n"
     "  selfsame config audit.rules --add 'drop source=bash hours=22:00-06:00'\n"
     "  selfsame log --audit\n"},
    {"exit", "exit statuses",
     "  0    done\n"
     "  1    failed\n"
     "  2    wrong usage, or an id that fits several propositions\n"
     "  3    the node is not running, or went away\n"
     "  4    another process is writing, or the keys are locked\n"
     "  5    not found\n"
     "  6    something does not verify\n"
     "  7    something needs attention\n"
     "  130  interrupted\n"},
    {"files", "files and environment",
     "  SELFSAME_HOME   the data folder; otherwise $XDG_DATA_HOME/selfsame, otherwise\n"
     "                  ~/.local/share/selfsame\n"
     "  NO_COLOR        no colour when set\n"
     "  COLUMNS         width of the output\n"
     "\n"
     "The data folder and its files belong to you alone (0700, 0600); looser permissions are refused.\n"
     "\n"
     "  selfsame.db     the model and what was observed (SQLite)\n"
     "  device, keys    who this device is\n"
     "  control.sock    where the running node listens\n"},
    {NULL, NULL, NULL},
};

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

size_t options_count(const struct option_def *list)
{
    size_t n = 0;
    while (n < OPTIONS_MAX && list[n].name != NULL) {
        n++;
    }
    return n;
}

const struct option_def *option_find(const struct option_def *list, const char *name)
{
    for (size_t i = 0; i < options_count(list); i++) {
        if (strcmp(list[i].name, name) == 0) {
            return &list[i];
        }
    }
    return NULL;
}
