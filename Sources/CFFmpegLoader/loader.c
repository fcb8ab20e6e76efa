#define _GNU_SOURCE  // pthread_setattr_default_np
#include "loader.h"

#include <dlfcn.h>
#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavformat/avformat.h>
#include <libavutil/cpu.h>
#include <libavutil/pixdesc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

// SVT-AV1 describes itself on standard error whenever it is opened, unless this variable says otherwise. It is set before
// main, while there is one thread: setenv(3) is not safe among several.
__attribute__((constructor)) static void silence_svt_av1(void) { setenv("SVT_LOG", "0", 0); }

#define LIBRARY(name, NAME) \
    { "lib" #name ".so." AV_STRINGIFY(LIB##NAME##_VERSION_MAJOR), #name "_version", LIB##NAME##_VERSION_INT }

// A library comes after those that it depends on.
static const struct {
    const char *soname;
    const char *version_function;
    unsigned version;
} libraries[] = {
    LIBRARY(avutil, AVUTIL), LIBRARY(avcodec, AVCODEC), LIBRARY(avformat, AVFORMAT), LIBRARY(avfilter, AVFILTER)};
enum { avutil, avcodec, count = sizeof libraries / sizeof *libraries };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
// Guarded by the lock; constant once `are_loaded` is set.
static void *handles[count];
static atomic_bool are_loaded;

// Opens a library under the lock. A library with an older minor version than its headers may lack functions and fields.
static bool open_library(int index, char *reason, size_t size) {
    if (handles[index]) return true;
    void *handle = dlopen(libraries[index].soname, RTLD_LAZY | RTLD_LOCAL);
    if (!handle) {
        snprintf(reason, size, "%s", dlerror());
        return false;
    }
    unsigned (*version)(void) = (unsigned (*)(void))dlsym(handle, libraries[index].version_function);
    unsigned found = version ? version() : 0, needed = libraries[index].version;
    if (found < needed) {
        snprintf(reason, size, "%s has version %u.%u.%u; this program was built with %u.%u.%u", libraries[index].soname,
            AV_VERSION_MAJOR(found), AV_VERSION_MINOR(found), AV_VERSION_MICRO(found), AV_VERSION_MAJOR(needed),
            AV_VERSION_MINOR(needed), AV_VERSION_MICRO(needed));
        dlclose(handle);
        return false;
    }
    handles[index] = handle;
    return true;
}

int clairo_load_libav(char *reason, size_t size) {
    if (atomic_load_explicit(&are_loaded, memory_order_acquire)) return 1;
    pthread_mutex_lock(&lock);
    bool loaded = true;
    for (int i = 0; i < count && loaded; i++) loaded = open_library(i, reason, size);
    atomic_store_explicit(&are_loaded, loaded, memory_order_release);
    pthread_mutex_unlock(&lock);
    return loaded;
}

const char *clairo_libav_version(void) {
    char reason[500];
    pthread_mutex_lock(&lock);
    const char *(*version)(void) = NULL;
    if (open_library(avutil, reason, sizeof reason))
        version = (const char *(*)(void))dlsym(handles[avutil], "av_version_info");
    pthread_mutex_unlock(&lock);
    return version ? version() : NULL;
}

// Writes a message as clairo writes its own, and ends the process without clean-up: the caller expects a result.
static _Noreturn void fail(const char *problem, const char *detail) {
    fprintf(stderr, "error: FFmpeg's libraries %s: %s\n", problem, detail);
    _exit(EX_UNAVAILABLE);
}

static void *find(void *_Atomic *cache, const char *name) {
    void *found = atomic_load_explicit(cache, memory_order_acquire);
    if (found) return found;
    char reason[500];
    if (!clairo_load_libav(reason, sizeof reason)) fail("cannot be loaded", reason);
    for (int i = 0; i < count && !found; i++) found = dlsym(handles[i], name);
    if (!found) fail("have no function", name);
    atomic_store_explicit(cache, found, memory_order_release);
    return found;
}

int clairo_x264_build(void) {
    char name[500];
    if (!clairo_load_libav(name, sizeof name)) return 0;
    for (int build = 100; build < 400; build++) {
        snprintf(name, sizeof name, "x264_encoder_open_%d", build);
        // Searches the libraries that libavcodec depends on, too.
        if (dlsym(handles[avcodec], name)) return build;
    }
    return 0;
}

size_t clairo_set_default_stack_size(size_t bytes) {
    pthread_attr_t attributes;
    size_t before = 0;
    if (pthread_getattr_default_np(&attributes) != 0) return 0;
    pthread_attr_getstacksize(&attributes, &before);
    int failed = pthread_attr_setstacksize(&attributes, bytes) != 0 || pthread_setattr_default_np(&attributes) != 0;
    pthread_attr_destroy(&attributes);
    return failed ? 0 : before;
}

// Defines a function with the signature of FFmpeg's header, which the compiler compares. It is hidden so that FFmpeg's libraries
// never call it instead of their own.
#define FORWARD(result, name, parameters, arguments)                                      \
    __attribute__((visibility("hidden"))) result name parameters {                        \
        static void *_Atomic cache;                                                       \
        return ((__typeof__(&name))find(&cache, #name))arguments;                         \
    }

// libavutil
FORWARD(enum AVChannel, av_channel_layout_channel_from_index, (const AVChannelLayout *layout, unsigned index),
    (layout, index))
FORWARD(void, av_channel_layout_default, (AVChannelLayout *layout, int channels), (layout, channels))
FORWARD(int, av_channel_layout_describe, (const AVChannelLayout *layout, char *text, size_t size), (layout, text, size))
FORWARD(int, av_channel_layout_from_mask, (AVChannelLayout *layout, uint64_t mask), (layout, mask))
FORWARD(void, av_dict_free, (AVDictionary **dictionary), (dictionary))
FORWARD(AVDictionaryEntry *, av_dict_get,
    (const AVDictionary *dictionary, const char *key, const AVDictionaryEntry *previous, int flags),
    (dictionary, key, previous, flags))
FORWARD(int, av_dict_set, (AVDictionary **dictionary, const char *key, const char *value, int flags),
    (dictionary, key, value, flags))
FORWARD(AVFrame *, av_frame_alloc, (void), ())
FORWARD(void, av_frame_free, (AVFrame **frame), (frame))
FORWARD(int, av_frame_get_buffer, (AVFrame *frame, int align), (frame, align))
FORWARD(AVFrameSideData *, av_frame_get_side_data, (const AVFrame *frame, enum AVFrameSideDataType type), (frame, type))
FORWARD(int, av_frame_ref, (AVFrame *target, const AVFrame *source), (target, source))
FORWARD(void, av_frame_remove_side_data, (AVFrame *frame, enum AVFrameSideDataType type), (frame, type))
FORWARD(void, av_frame_unref, (AVFrame *frame), (frame))
FORWARD(void, av_free, (void *memory), (memory))
FORWARD(int, av_get_bytes_per_sample, (enum AVSampleFormat format), (format))
FORWARD(int, av_get_cpu_flags, (void), ())
FORWARD(const char *, av_get_pix_fmt_name, (enum AVPixelFormat format), (format))
FORWARD(const char *, av_get_sample_fmt_name, (enum AVSampleFormat format), (format))
FORWARD(int, av_log_format_line2,
    (void *context, int level, const char *format, va_list values, char *line, int size, int *prefix),
    (context, level, format, values, line, size, prefix))
FORWARD(void, av_log_set_callback, (void (*callback)(void *, int, const char *, va_list)), (callback))
FORWARD(void, av_log_set_level, (int level), (level))
FORWARD(void *, av_malloc, (size_t size), (size))
FORWARD(const AVPixFmtDescriptor *, av_pix_fmt_desc_get, (enum AVPixelFormat format), (format))
FORWARD(int, av_sample_fmt_is_planar, (enum AVSampleFormat format), (format))
FORWARD(char *, av_strdup, (const char *text), (text))
FORWARD(int, av_strerror, (int code, char *text, size_t size), (code, text, size))
FORWARD(const char *, av_version_info, (void), ())

// libavcodec
FORWARD(AVPacket *, av_packet_alloc, (void), ())
FORWARD(void, av_packet_free, (AVPacket **packet), (packet))
FORWARD(uint8_t *, av_packet_get_side_data, (const AVPacket *packet, enum AVPacketSideDataType type, size_t *size),
    (packet, type, size))
FORWARD(void, av_packet_unref, (AVPacket *packet), (packet))
FORWARD(AVCodecContext *, avcodec_alloc_context3, (const AVCodec *codec), (codec))
FORWARD(const AVCodec *, avcodec_find_decoder, (enum AVCodecID id), (id))
FORWARD(const AVCodec *, avcodec_find_decoder_by_name, (const char *name), (name))
FORWARD(const AVCodec *, avcodec_find_encoder_by_name, (const char *name), (name))
FORWARD(void, avcodec_free_context, (AVCodecContext **context), (context))
FORWARD(const char *, avcodec_get_name, (enum AVCodecID id), (id))
FORWARD(int, avcodec_open2, (AVCodecContext *context, const AVCodec *codec, AVDictionary **options),
    (context, codec, options))
FORWARD(int, avcodec_parameters_to_context, (AVCodecContext *context, const AVCodecParameters *parameters),
    (context, parameters))
FORWARD(const char *, avcodec_profile_name, (enum AVCodecID id, int profile), (id, profile))
FORWARD(int, avcodec_receive_frame, (AVCodecContext *context, AVFrame *frame), (context, frame))
FORWARD(int, avcodec_receive_packet, (AVCodecContext *context, AVPacket *packet), (context, packet))
FORWARD(int, avcodec_send_frame, (AVCodecContext *context, const AVFrame *frame), (context, frame))
FORWARD(int, avcodec_send_packet, (AVCodecContext *context, const AVPacket *packet), (context, packet))
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 30, 100)
FORWARD(const AVPacketSideData *, av_packet_side_data_get,
    (const AVPacketSideData *data, int data_count, enum AVPacketSideDataType type), (data, data_count, type))
#else
FORWARD(uint8_t *, av_stream_get_side_data, (const AVStream *stream, enum AVPacketSideDataType type, size_t *size),
    (stream, type, size))
#endif

// libavformat
FORWARD(int, av_read_frame, (AVFormatContext *context, AVPacket *packet), (context, packet))
FORWARD(int, av_seek_frame, (AVFormatContext *context, int stream, int64_t time, int flags), (context, stream, time, flags))
FORWARD(AVFormatContext *, avformat_alloc_context, (void), ())
FORWARD(void, avformat_close_input, (AVFormatContext **context), (context))
FORWARD(int, avformat_find_stream_info, (AVFormatContext *context, AVDictionary **options), (context, options))
FORWARD(int, avformat_open_input,
    (AVFormatContext **context, const char *url, const AVInputFormat *format, AVDictionary **options),
    (context, url, format, options))
// From 7.0 on the function that writes gets constant bytes.
#if LIBAVFORMAT_VERSION_MAJOR >= 61
typedef const uint8_t written_byte;
#else
typedef uint8_t written_byte;
#endif
FORWARD(AVIOContext *, avio_alloc_context,
    (unsigned char *buffer, int size, int writes, void *opaque, int (*read)(void *, uint8_t *, int),
        int (*write)(void *, written_byte *, int), int64_t (*seek)(void *, int64_t, int)),
    (buffer, size, writes, opaque, read, write, seek))
FORWARD(void, avio_context_free, (AVIOContext **context), (context))

// libavfilter
FORWARD(int, av_buffersink_get_frame, (AVFilterContext *context, AVFrame *frame), (context, frame))
FORWARD(AVRational, av_buffersink_get_time_base, (const AVFilterContext *context), (context))
FORWARD(int, av_buffersrc_add_frame_flags, (AVFilterContext *context, AVFrame *frame, int flags), (context, frame, flags))
FORWARD(AVBufferSrcParameters *, av_buffersrc_parameters_alloc, (void), ())
FORWARD(int, av_buffersrc_parameters_set, (AVFilterContext *context, AVBufferSrcParameters *parameters),
    (context, parameters))
FORWARD(const AVFilter *, avfilter_get_by_name, (const char *name), (name))
FORWARD(AVFilterGraph *, avfilter_graph_alloc, (void), ())
FORWARD(AVFilterContext *, avfilter_graph_alloc_filter, (AVFilterGraph *graph, const AVFilter *filter, const char *name),
    (graph, filter, name))
FORWARD(int, avfilter_graph_config, (AVFilterGraph *graph, void *log), (graph, log))
FORWARD(int, avfilter_graph_create_filter,
    (AVFilterContext **context, const AVFilter *filter, const char *name, const char *arguments, void *opaque,
        AVFilterGraph *graph),
    (context, filter, name, arguments, opaque, graph))
FORWARD(void, avfilter_graph_free, (AVFilterGraph **graph), (graph))
FORWARD(int, avfilter_graph_parse_ptr,
    (AVFilterGraph *graph, const char *filters, AVFilterInOut **inputs, AVFilterInOut **outputs, void *log),
    (graph, filters, inputs, outputs, log))
FORWARD(int, avfilter_init_str, (AVFilterContext *context, const char *arguments), (context, arguments))
FORWARD(AVFilterInOut *, avfilter_inout_alloc, (void), ())
FORWARD(void, avfilter_inout_free, (AVFilterInOut **inout), (inout))
