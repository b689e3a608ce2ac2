-- Which schedule began a run; known also when the schedule is gone.
ALTER TABLE runs ADD COLUMN schedule_id TEXT;
UPDATE runs SET schedule_id = (SELECT s.id FROM schedules s WHERE s.hook_id = runs.hook_id AND s.created_at <= runs.created_at)
    WHERE origin = 'schedule';
CREATE INDEX runs_of_schedules ON runs (schedule_id) WHERE schedule_id IS NOT NULL;

-- When a claimed run was first tried in vain.
ALTER TABLE firings ADD COLUMN tried_at BIGINT;
