/* Every size that comes from outside is compared with one of these before anything is allocated.
 * Each has its reason. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* A sentence about the user; the longest in the paper's data is under 400 bytes. */
#define LIMIT_TEXT_BYTES 4096u
/* Reasoning: a paragraph. */
#define LIMIT_REASONING_BYTES 8192u
/* An op: the largest text, reasoning and a page of event keys. Larger ones are split by the writer. One op,
 * sealed in a frame, fits one message of a session. */
#define LIMIT_OP_BYTES 57344u
/* Actions in one op. */
#define LIMIT_OP_ACTIONS 256u
/* Stamps that one write may name as replaced: more concurrent edits than devices is nonsense. */
#define LIMIT_PRIOR_STAMPS 32u
/* Name of a source, an app, a device, a setting, a tag. */
#define LIMIT_NAME_BYTES 256u
/* Content of one observation; longer text is cut and marked. */
#define LIMIT_OBSERVATION_BYTES 32768u
/* One line of a text source; a longer one is reported as bad and skipped. */
#define LIMIT_LINE_BYTES (4u << 20)
/* Files named by one observation (git commits touch thousands). */
#define LIMIT_OBSERVATION_FILES 64u
/* A path. */
#define LIMIT_PATH_BYTES 4096u
/* An iCalendar file read whole: a decade of a busy calendar is about 10 MB. */
#define LIMIT_CALENDAR_BYTES (32u << 20)
/* Occurrences taken of one recurring event: ten years of a daily one. */
#define LIMIT_OCCURRENCES 4000u
/* One document on the control socket (requests and answers). */
#define LIMIT_MESSAGE_BYTES (64u << 20)
/* Rows that a listing command returns at most. */
#define LIMIT_LIST_ROWS 100000u
/* Settings: a value, and how many rules of one kind. */
#define LIMIT_SETTING_BYTES 4096u
#define LIMIT_RULES 1024u
/* Query terms looked at; the rest of a long query adds nothing but time. */
#define LIMIT_QUERY_TERMS 32u
/* Clock drift beyond which an op is held. */
#define LIMIT_DRIFT_MS (10 * 60 * 1000)
/* The state of one entity: registers with siblings, counters of all devices, set elements. */
#define LIMIT_ENTITY_BYTES (4u << 20)
/* The padded ops of one frame: several hundred bulk ops, or one op of the largest size among others. */
#define LIMIT_FRAME_BODY_BYTES (1u << 20)
/* Ops of one frame; erased ones travel as a hash of 32 bytes each. */
#define LIMIT_FRAME_OPS 32768u
/* Times outside the years 1970..9999 are refused where they enter. */
#define LIMIT_TIME_MS_MAX INT64_C(253402300799999)

#endif
