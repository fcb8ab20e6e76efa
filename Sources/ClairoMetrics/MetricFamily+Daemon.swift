/// Metrics that each daemon keeps about its own work.
///
/// Label values are the same as in the database and the logs. `kind` is the kind of a task; `error` and `reason` are the
/// kind of an error (badInput, transient, capacity, refused, defect, usage, cancelled). `activity` is a part of a daemon's
/// work. `step` is a step within a task. `rendition` is a standard height of the ladder, such as `720p`, or `other`.
/// `codec` is a `VideoCodec`, or the first part of a rendition's codec string, whose `kind` is that of the rendition.
/// `code` is the code of a warning, such as `truncated`, or the outcome of a request.
extension MetricFamily {
    private static let shortTimes = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
    private static let longTimes: [Double] = [1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400]

    public static let buildInfo = gauge(
        "clairo_build_info", "Always 1; the labels hold the versions",
        labels: ["version", "libav", "librdkafka"])
    public static let warnings = counter(
        "clairo_warnings_total", "Recovered errors, by kind of error", labels: ["error"], renamed: ["error": "kind"])

    public static let blocked = gauge(
        "clairo_blocked", "Whether an activity of this process waits because it failed, by kind of error",
        labels: ["activity", "reason"])

    // MARK: Tasks and jobs

    public static let tasksRunning = gauge(
        "clairo_tasks_running", "Tasks running in this process", labels: ["kind"], renamed: ["kind": "stage"])
    public static let tasksEnded = counter(
        "clairo_tasks_ended_total",
        "Attempts by outcome: succeeded, retried (failed, will be retried), failed (permanently), released (returned to the queue) or lost (claimed by another worker)",
        labels: ["kind", "outcome"], renamed: ["kind": "stage"])
    public static let taskErrors = counter(
        "clairo_task_errors_total", "Attempts that failed, by kind of error", labels: ["kind", "error"],
        renamed: ["kind": "stage", "error": "kind"], from: "clairo_task_failures_total")
    public static let retries = counter(
        "clairo_retries_total", "Failed attempts that will be retried, by kind of error", labels: ["reason"])
    public static let deadLetters = counter(
        "clairo_dead_letter_total", "Tasks and messages that this process dead-lettered")
    public static let sandboxKills = counter(
        "clairo_sandbox_kills_total", "Task processes that ended without a result",
        labels: ["reason"])
    public static let taskDuration = histogram(
        "clairo_task_duration_seconds", "Duration of successful tasks in their executor, in seconds",
        buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600], labels: ["kind"],
        renamed: ["kind": "stage"], from: "clairo_stage_duration_seconds")
    public static let stepDuration = histogram(
        "clairo_step_duration_seconds",
        "Time that the threads of successful tasks spent in a step, in seconds",
        buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600], labels: ["kind", "step"],
        renamed: ["kind": "stage"])
    public static let taskCPU = counter(
        "clairo_task_cpu_seconds_total", "CPU time of successful tasks, including their processes, in seconds",
        labels: ["kind"], renamed: ["kind": "stage"], from: "clairo_stage_cpu_seconds_total")
    public static let queueWait = histogram(
        "clairo_queue_wait_seconds", "Time from when a task became due until its first attempt, in seconds",
        buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600], labels: ["kind"],
        renamed: ["kind": "stage"])
    public static let framesEncoded = counter(
        "clairo_frames_encoded_total", "Frames encoded", labels: ["rendition", "codec"])
    public static let renditions = counter(
        "clairo_renditions_total", "Renditions of jobs that became ready, by kind and codec", labels: ["kind", "codec"])
    public static let mediaSeconds = counter(
        "clairo_media_seconds_total", "Seconds of media transcoded", labels: ["kind"], renamed: ["kind": "stage"])
    public static let decodeErrors = counter(
        "clairo_decode_errors_total", "Decoder errors in sources that were transcoded anyway")
    public static let mediaWarnings = counter(
        "clairo_media_warnings_total", "Warnings about sources and outputs of jobs that became ready", labels: ["code"])
    public static let jobs = counter(
        "clairo_jobs_total", "Jobs that this process ended, by result", labels: ["result"])
    public static let jobDuration = histogram(
        "clairo_job_duration_seconds", "Time from the creation of a job until its video was ready, in seconds",
        buckets: longTimes)
    public static let jobRealtime = histogram(
        "clairo_job_realtime_ratio", "Transcoding speed of a job: seconds of video per second of processing",
        buckets: [0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64])

    // MARK: Services

    public static let storeRead = counter(
        "clairo_bytes_downloaded_total", "Bytes read from a store", labels: ["store"])
    public static let storeWritten = counter(
        "clairo_bytes_uploaded_total", "Bytes written to a store", labels: ["store"])
    public static let s3Requests = counter(
        "clairo_s3_requests_total", "S3 requests, including retries", labels: ["op", "code"])
    public static let s3Duration = histogram(
        "clairo_s3_request_duration_seconds", "Duration of S3 requests, in seconds", buckets: shortTimes,
        labels: ["op"])
    public static let s3Retries = counter(
        "clairo_s3_retries_total", "S3 requests that were retried, by the reason",
        labels: ["reason"])
    public static let ecsRequests = counter(
        "clairo_ecs_requests_total", "ECS API calls, including retries",
        labels: ["op", "code"])
    public static let databaseRequests = counter(
        "clairo_db_requests_total", "Database transactions, by operation and outcome (success, or kind of error)",
        labels: ["op", "outcome"], renamed: ["op": "operation"])
    public static let databaseDuration = histogram(
        "clairo_db_request_duration_seconds", "Duration of database transactions, including retries, in seconds",
        buckets: shortTimes, labels: ["op"], renamed: ["op": "operation"])
    public static let outboxDelivered = counter(
        "clairo_outbox_delivered_total", "Outbox messages that this process delivered")
    public static let outboxPostponed = counter(
        "clairo_outbox_postponed_total", "Outbox deliveries that failed and were postponed")
    public static let upkeepRuns = counter(
        "clairo_upkeep_runs_total", "Passes of upkeep in this process, by outcome: success or failure",
        labels: ["outcome"])
    public static let upkeepRemoved = counter(
        "clairo_upkeep_removed_total", "What upkeep in this process removed", labels: ["what"])
    public static let upkeepBytes = counter(
        "clairo_upkeep_removed_bytes_total", "Size of the objects, uploads and files that upkeep removed, in bytes")
    public static let httpRequests = counter(
        "clairo_http_requests_total", "HTTP requests that the upload API answered", labels: ["method", "code"])
    public static let httpDuration = histogram(
        "clairo_http_request_duration_seconds",
        "Time from a request's head until its response is ready, including reading an upload, in seconds",
        buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300], labels: ["method"])

    /// The families on a daemon's page, in this order.
    public static let daemon = [
        buildInfo, warnings, blocked, tasksRunning, tasksEnded, taskErrors, retries, deadLetters, sandboxKills,
        taskDuration, stepDuration, taskCPU, queueWait, framesEncoded, renditions, mediaSeconds, decodeErrors,
        mediaWarnings, jobs,
        jobDuration, jobRealtime,
        storeRead, storeWritten, s3Requests, s3Duration, s3Retries, ecsRequests, databaseRequests, databaseDuration,
        outboxDelivered, outboxPostponed, upkeepRuns, upkeepRemoved, upkeepBytes, httpRequests, httpDuration,
    ]
}
