/* A sound card without a card: an ALSA ioplug that plays in real time, runs dry and can be pulled out.
 *
 *   pcm_type.paced { lib "LIB.so" }
 *   pcm.paced { type paced  file "card.raw"  pulled "card.pulled" }
 *
 * Every frame it takes is appended to `file`. While a file named `pulled` exists, the card is not there.
 * Build: gcc -shared -fPIC -DPIC -o LIB.so paced_card.c -lasound
 */
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <fcntl.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct card {
    snd_pcm_ioplug_t plug;
    int file;
    char pulled[512];
    long long started_ns;    /* 0: stands still */
    unsigned long long taken; /* frames since prepare */
};

static long long now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int is_pulled(const struct card *card) { return access(card->pulled, F_OK) == 0; }

static void tick(int timer, long long every_ns)
{
    struct itimerspec spec = {.it_interval = {0, every_ns}, .it_value = {0, every_ns}};
    timerfd_settime(timer, 0, &spec, NULL);
}

static int start(snd_pcm_ioplug_t *plug)
{
    struct card *card = plug->private_data;
    card->started_ns = now_ns();
    tick(plug->poll_fd, 500000);
    return 0;
}

static int stop(snd_pcm_ioplug_t *plug)
{
    struct card *card = plug->private_data;
    card->started_ns = 0;
    tick(plug->poll_fd, 0);
    return 0;
}

static int prepare(snd_pcm_ioplug_t *plug)
{
    struct card *card = plug->private_data;
    card->taken = 0;
    card->started_ns = 0;
    return is_pulled(card) ? -ENODEV : 0;
}

static snd_pcm_sframes_t pointer(snd_pcm_ioplug_t *plug)
{
    struct card *card = plug->private_data;
    unsigned long long played = 0;
    if (is_pulled(card))
        return -ENODEV;
    if (card->started_ns)
        played = (now_ns() - card->started_ns) * plug->rate / 1000000000ULL;
    if (played > card->taken)
        return -EPIPE; /* dry */
    return played % plug->buffer_size;
}

static snd_pcm_sframes_t transfer(snd_pcm_ioplug_t *plug, const snd_pcm_channel_area_t *areas,
                                  snd_pcm_uframes_t offset, snd_pcm_uframes_t size)
{
    struct card *card = plug->private_data;
    const char *from = (const char *)areas->addr + (areas->first + areas->step * offset) / 8;
    if (is_pulled(card))
        return -ENODEV;
    if (write(card->file, from, size * areas->step / 8) < 0)
        return -EIO;
    card->taken += size;
    return size;
}

static int revents(snd_pcm_ioplug_t *plug, struct pollfd *fds, unsigned int count, unsigned short *events)
{
    unsigned long long ticks;
    snd_pcm_sframes_t room;
    (void)fds, (void)count;
    if (read(plug->poll_fd, &ticks, sizeof ticks) < 0)
        ticks = 0;
    room = snd_pcm_avail_update(plug->pcm);
    *events = room < 0 ? POLLOUT | POLLERR : room >= (snd_pcm_sframes_t)plug->period_size ? POLLOUT : 0;
    return 0;
}

static int leave(snd_pcm_ioplug_t *plug)
{
    struct card *card = plug->private_data;
    close(card->file);
    close(plug->poll_fd);
    free(card);
    return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
    .start = start, .stop = stop, .prepare = prepare, .pointer = pointer,
    .transfer = transfer, .poll_revents = revents, .close = leave,
};

SND_PCM_PLUGIN_DEFINE_FUNC(paced)
{
    static const unsigned int access_types[] = {SND_PCM_ACCESS_RW_INTERLEAVED}, formats[] = {SND_PCM_FORMAT_S32_LE};
    snd_config_iterator_t i, next;
    const char *file = "", *pulled = "";
    struct card *card;
    int error;
    (void)root;
    snd_config_for_each(i, next, conf) {
        snd_config_t *entry = snd_config_iterator_entry(i);
        const char *id;
        if (snd_config_get_id(entry, &id) < 0)
            continue;
        if (!strcmp(id, "file"))
            snd_config_get_string(entry, &file);
        if (!strcmp(id, "pulled"))
            snd_config_get_string(entry, &pulled);
    }
    if (stream != SND_PCM_STREAM_PLAYBACK || access(pulled, F_OK) == 0)
        return -ENODEV;
    if (!(card = calloc(1, sizeof *card)))
        return -ENOMEM;
    strncpy(card->pulled, pulled, sizeof card->pulled - 1);
    card->file = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    card->plug.version = SND_PCM_IOPLUG_VERSION;
    card->plug.name = "a card without a card";
    card->plug.callback = &callbacks;
    card->plug.private_data = card;
    card->plug.poll_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    card->plug.poll_events = POLLIN;
    if ((error = snd_pcm_ioplug_create(&card->plug, name, stream, mode)) < 0) {
        free(card);
        return error;
    }
    snd_pcm_ioplug_set_param_list(&card->plug, SND_PCM_IOPLUG_HW_ACCESS, 1, access_types);
    snd_pcm_ioplug_set_param_list(&card->plug, SND_PCM_IOPLUG_HW_FORMAT, 1, formats);
    snd_pcm_ioplug_set_param_minmax(&card->plug, SND_PCM_IOPLUG_HW_RATE, 44100, 44100);
    snd_pcm_ioplug_set_param_minmax(&card->plug, SND_PCM_IOPLUG_HW_CHANNELS, 2, 2);
    snd_pcm_ioplug_set_param_minmax(&card->plug, SND_PCM_IOPLUG_HW_PERIODS, 2, 16);
    snd_pcm_ioplug_set_param_minmax(&card->plug, SND_PCM_IOPLUG_HW_PERIOD_BYTES, 64, 65536);
    *pcmp = card->plug.pcm;
    return 0;
}
SND_PCM_PLUGIN_SYMBOL(paced);
