// What the Swift importer cannot see of libav: error macros, special values, variadics and fields that
// change between versions. Only constants and static inline functions; no state.
#ifndef CLAIRO_CFFMPEG_SHIM_H
#define CLAIRO_CFFMPEG_SHIM_H

#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/channel_layout.h>
#include <libavutil/cpu.h>
#include <libavutil/display.h>
#include <libavutil/error.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <errno.h>
#include <malloc.h>

static const int clairo_averror_eof = AVERROR_EOF;
static const int clairo_averror_eagain = AVERROR(EAGAIN);
static const int clairo_averror_enomem = AVERROR(ENOMEM);
static const int clairo_averror_einval = AVERROR(EINVAL);
static const int clairo_averror_eio = AVERROR(EIO);
static const int clairo_averror_exit = AVERROR_EXIT;
static const int clairo_averror_invaliddata = AVERROR_INVALIDDATA;
static const int clairo_averror_external = AVERROR_EXTERNAL;
static const int clairo_averror_decoder_not_found = AVERROR_DECODER_NOT_FOUND;
static const int64_t clairo_nopts = AV_NOPTS_VALUE;

static inline AVDictionaryEntry *clairo_dict_get(AVDictionary *d, const char *key) {
    return av_dict_get(d, key, NULL, 0);
}

// The first key left in a dictionary of options, that is one nobody took; NULL when all were taken.
static inline const char *clairo_dict_first_key(AVDictionary *d) {
    AVDictionaryEntry *entry = av_dict_get(d, "", NULL, AV_DICT_IGNORE_SUFFIX);
    return entry ? entry->key : NULL;
}

// Display matrix of a stream or NULL; newer libav keeps it in codecpar->coded_side_data.
static inline const int32_t *clairo_stream_display_matrix(const AVStream *stream) {
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    return size >= 9 * sizeof(int32_t) ? (const int32_t *)data : NULL;
}

static inline int clairo_stream_has_side_data(const AVStream *stream, enum AVPacketSideDataType type) {
    return av_stream_get_side_data(stream, type, NULL) != NULL;
}

// Interlacing flags are plain fields in 5.1 and bits of AVFrame.flags from 6.1 on.
static inline int clairo_frame_is_interlaced(const AVFrame *frame) { return frame->interlaced_frame; }
static inline int clairo_frame_top_field_first(const AVFrame *frame) { return frame->top_field_first; }
static inline int clairo_frame_is_key(const AVFrame *frame) { return frame->key_frame; }
static inline int64_t clairo_frame_duration(const AVFrame *frame) { return frame->pkt_duration; }

static inline int clairo_frame_is_damaged(const AVFrame *frame) {
    return frame->decode_error_flags != 0 || (frame->flags & AV_FRAME_FLAG_CORRUPT) != 0;
}

static inline void clairo_frame_reset_picture_type(AVFrame *frame) {
    frame->pict_type = AV_PICTURE_TYPE_NONE;
    frame->key_frame = 0;
    frame->interlaced_frame = 0;
}

static inline int clairo_frame_plane(const AVFrame *frame, int index, uint8_t **data, int *stride) {
    if (index < 0 || index >= AV_NUM_DATA_POINTERS) return 0;
    *data = frame->data[index];
    *stride = frame->linesize[index];
    return frame->data[index] != NULL;
}

static inline AVStream *clairo_stream(const AVFormatContext *context, int index) {
    return context->streams[index];
}

static inline const char *clairo_libav_version(void) { return av_version_info(); }
static inline unsigned clairo_avcodec_version(void) { return avcodec_version(); }

#endif
