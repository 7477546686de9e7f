-- a copy sends none of its original's jobs and takes none of their replies
UPDATE nameko_job
   SET state = 'cancelled', is_ready = false, is_waiting = false, deadline = NULL,
       done_at = now() AT TIME ZONE 'UTC', error_type = 'DatabaseNeutralized',
       error_message = 'The database was neutralized.'
 WHERE state IN ('pending', 'sent');
UPDATE nameko_job SET cancel_unannounced = false WHERE cancel_unannounced;
DELETE FROM ir_config_parameter WHERE key = 'nameko_connector.database_identity';
