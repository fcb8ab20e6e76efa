/// What each daemon says of its own work.
///
/// `stage` is a task's kind (plan, chunk, audio, finish), `kind` an error's (badInput, transient, capacity, defect, usage,
/// cancelled), as they stand in the database and in logs. `step` is what a task's threads do, and `rendition` one of the
/// ladder's usual heights, `720p`; what has another one counts for `other`.
extension MetricFamily {
    private static let shortTimes = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
    private static let longTimes: [Double] = [1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400]

    public static let buildInfo = gauge(
        "clairo_build_info", "Always 1; the labels say which program this is",
        labels: ["version", "libav", "librdkafka"])
    public static let warnings = counter(
        "clairo_warnings_total", "Failures that pass, of whatever this process was doing", labels: ["kind"])

    // MARK: Tasks and jobs

    public static let tasksRunning = gauge(
        "clairo_tasks_running", "Tasks that this process works on", labels: ["stage"])
    public static let tasksEnded = counter(
        "clairo_tasks_ended_total",
        "Attempts that ended: succeeded, retried (failed, to be tried again), failed (for good), released (handed back) or lost (the claim had passed to another)",
        labels: ["stage", "outcome"])
    public static let taskFailures = counter(
        "clairo_task_failures_total", "Attempts that failed, by the kind of error", labels: ["stage", "kind"])
    public static let retries = counter(
        "clairo_retries_total", "Attempts that failed and are tried again, by the kind of error", labels: ["reason"])
    public static let deadLetters = counter(
        "clairo_dead_letter_total", "Tasks and messages that this process gave up and kept as dead letters")
    public static let executorKills = counter(
        "clairo_sandbox_kills_total", "Processes of tasks that did not end by themselves with a result",
        labels: ["reason"])
    public static let stageDuration = histogram(
        "clairo_stage_duration_seconds", "Time that a task that succeeded took in its executor, in seconds",
        buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600], labels: ["stage"])
    public static let stepDuration = histogram(
        "clairo_step_duration_seconds",
        "Time that the threads of a task that succeeded spent in a step of it, added up, in seconds",
        buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600], labels: ["stage", "step"])
    public static let stageCPU = counter(
        "clairo_stage_cpu_seconds_total", "CPU time of tasks that succeeded, their processes included, in seconds",
        labels: ["stage"])
    public static let queueWait = histogram(
        "clairo_queue_wait_seconds", "Time from the moment a task could be taken until its first attempt, in seconds",
        buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600], labels: ["stage"])
    public static let framesEncoded = counter(
        "clairo_frames_encoded_total", "Frames that were encoded", labels: ["rendition"])
    public static let mediaSeconds = counter(
        "clairo_media_seconds_total", "Seconds of media that were transcoded", labels: ["stage"])
    public static let decodeErrors = counter(
        "clairo_decode_errors_total", "Errors of the decoder in sources that were transcoded all the same")
    public static let jobs = counter(
        "clairo_jobs_total", "Jobs that this process brought to their end", labels: ["result"])
    public static let jobDuration = histogram(
        "clairo_job_duration_seconds", "Time from the beginning of a job until its video was ready, in seconds",
        buckets: longTimes)
    public static let jobRealtime = histogram(
        "clairo_job_realtime_ratio", "Seconds of video that a job made ready in a second",
        buckets: [0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64])

    // MARK: Services

    public static let storeRead = counter(
        "clairo_bytes_downloaded_total", "Bytes of objects that were read", labels: ["store"])
    public static let storeWritten = counter(
        "clairo_bytes_uploaded_total", "Bytes of objects that were written", labels: ["store"])
    public static let s3Requests = counter(
        "clairo_s3_requests_total", "Requests to S3, each repetition counted", labels: ["op", "code"])
    public static let s3Duration = histogram(
        "clairo_s3_request_duration_seconds", "Time that requests to S3 took, in seconds", buckets: shortTimes,
        labels: ["op"])
    public static let s3Retries = counter(
        "clairo_s3_retries_total", "Requests to S3 that were sent again, by what became of the one before",
        labels: ["reason"])
    public static let ecsRequests = counter(
        "clairo_ecs_requests_total", "Calls of the API of ECS, each repetition counted",
        labels: ["op", "code"])
    public static let databaseRequests = counter(
        "clairo_db_requests_total", "Transactions, by what they do and the kind of error they ended with, if any",
        labels: ["operation", "outcome"])
    public static let databaseDuration = histogram(
        "clairo_db_request_duration_seconds", "Time that transactions took, repetitions included, in seconds",
        buckets: shortTimes, labels: ["operation"])
    public static let outboxDelivered = counter(
        "clairo_outbox_delivered_total", "Messages that this process delivered from the outbox")
    public static let outboxPostponed = counter(
        "clairo_outbox_postponed_total", "Times that a message could not be delivered and was put off")
    public static let httpRequests = counter(
        "clairo_http_requests_total", "Requests that the upload API answered", labels: ["method", "code"])
    public static let httpDuration = histogram(
        "clairo_http_request_duration_seconds",
        "Time from a request's head until its answer is ready, the reading of uploads included, in seconds",
        buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300], labels: ["method"])

    public static let daemon = [
        buildInfo, warnings, tasksRunning, tasksEnded, taskFailures, retries, deadLetters, executorKills,
        stageDuration, stepDuration, stageCPU, queueWait, framesEncoded, mediaSeconds, decodeErrors, jobs, jobDuration,
        jobRealtime,
        storeRead, storeWritten, s3Requests, s3Duration, s3Retries, ecsRequests, databaseRequests, databaseDuration,
        outboxDelivered, outboxPostponed, httpRequests, httpDuration,
    ]
}
