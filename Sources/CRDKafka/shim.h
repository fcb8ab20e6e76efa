// Imports librdkafka and its mock cluster, and wraps variadic functions, which Swift cannot import. Contains only static
// inline functions and no state. pkg-config (`rdkafka`) finds the library.
#ifndef CLAIRO_CRDKAFKA_SHIM_H
#define CLAIRO_CRDKAFKA_SHIM_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

// Enqueues a copy of a message without blocking. The partitioner chooses the partition. If this fails, the caller still
// owns `headers`.
//
// The headers are passed as a list (V_HEADERS) on purpose. With single headers (V_HEADER), librdkafka 2.0.2 frees them
// twice if the message cannot be enqueued, for example for an unknown topic
// (https://github.com/confluentinc/librdkafka/issues/4628).
static inline rd_kafka_resp_err_t clairo_rd_kafka_produce(
    rd_kafka_t *rk, const char *topic, const void *key, size_t key_size, const void *payload, size_t payload_size,
    rd_kafka_headers_t *headers, void *opaque) {
    return rd_kafka_producev(
        rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, key_size),
        RD_KAFKA_V_VALUE((void *)payload, payload_size), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(opaque),
        RD_KAFKA_V_END);
}

// Makes a broker of the mock cluster answer its next request of one type (`api`, a Kafka API key) with an error, after
// `rtt_ms` milliseconds, or both.
static inline rd_kafka_resp_err_t clairo_rd_kafka_mock_push(
    rd_kafka_mock_cluster_t *cluster, int32_t broker, int16_t api, rd_kafka_resp_err_t error, int rtt_ms) {
    return rd_kafka_mock_broker_push_request_error_rtts(cluster, broker, api, 1, error, rtt_ms);
}

#endif
