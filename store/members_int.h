/* Inside of store/: the tables of members.c, made by the first migration. */
#ifndef STORE_MEMBERS_INT_H
#define STORE_MEMBERS_INT_H

extern const char *const members_schema[];

#endif
