/* When a picture was taken, by its name: "Screenshot from 2026-11-24 21-52-31.png",
 * "IMG_20261124_215231.jpg", "Screenshot_2026-11-24-21-52-31.png". */
#ifndef NODE_OBSERVE_PICTURE_TIME_H
#define NODE_OBSERVE_PICTURE_TIME_H

#include "node/observe/observe.h"

/* A whole date of the years 1970 to 2999 and, behind up to four other characters, a whole time of day, each
 * with or without '-', '_', '.' or ':' between its parts, no digit before or behind; on the device's own
 * clock. TIME_NONE: the name has none. */
int64_t picture_name_time(const char *name, const struct observer_env *env);

#endif
