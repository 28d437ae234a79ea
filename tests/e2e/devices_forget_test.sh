# Forgetting while a device is off: who has not confirmed is named, then and later, until it has.
# shellcheck shell=bash disable=SC1091,SC2154
. "$(dirname "${BASH_SOURCE[0]}")/devices_lib.sh"
for name in laptop desktop phone; do
    make_device $name
    up $name
done
on laptop tell "keeps a secret under the mat"
check "two devices are paired" join_up laptop desktop
check "and a third" join_up laptop phone
check "all are the same" until_so 20 same laptop desktop phone
down phone
lacks() {
    quietly laptop devices --json | tr '{' '\n' | grep "\"name\":\"$1\"" | grep -o '"they_lack":[0-9]*' | grep -vq ':0$'
}
on laptop forget "$(id_on laptop "keeps a secret under the mat")" --force
check "forgetting says who has not confirmed" eval '[ "$status" -eq 0 ] && grep -q "Not confirmed yet by.*phone" "$work/out" "$work/err"'
check "the device that is on forgets" until_so 20 knows_not desktop "secret under the mat"
on laptop status
check "status still names the one that is off" grep -q 'phone.*lacks' "$work/out"
on laptop devices
check "and so does the list of devices" grep -q 'phone.*lacks' "$work/out"
down laptop
hub=
up laptop
check "also after a restart" until_so 10 lacks phone
up phone
check "it forgets when it is back" until_so 30 knows_not phone "secret under the mat"
confirmed() {
    ! lacks phone
}
check "and then nobody waits any more" until_so 30 confirmed
check "the text is in no file of any device" until_so 60 eval '! grep -rqF "secret under the mat" "$work"/{laptop,desktop,phone}'
finish
