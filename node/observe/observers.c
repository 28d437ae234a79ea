#include "node/observe/observe.h"

#include <string.h>

const struct observer *const observers[] = {
    &observer_activitywatch, &observer_chromium, &observer_firefox, &observer_bash,
    &observer_zsh,           &observer_fish,     &observer_atuin,   &observer_git,
    &observer_ical,          &observer_xbel,     &observer_image,   &observer_jsonl,   NULL,
};

const struct observer *observer_find(const char *name)
{
    for (size_t i = 0; observers[i]; i++)
        if (strcmp(observers[i]->name, name) == 0)
            return observers[i];
    return NULL;
}
