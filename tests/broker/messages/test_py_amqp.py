"""What the addon relies on in py-amqp's inner parts: a new version must be looked at."""

import inspect

import amqp
from amqp import spec
from amqp.abstract_channel import AbstractChannel
from amqp.transport import TCPTransport
from broker.amqp import frames, transport


def test_the_version_of_py_amqp_is_the_one_that_was_tested():
    assert amqp.__version__.startswith(transport.TESTED_VERSION)


def test_the_transport_has_the_parts_that_are_replaced():
    replaced = {"_connect", "_get_tcp_socket_defaults", "_setup_transport", "_write", "read_frame"}
    assert replaced <= vars(TCPTransport).keys() | vars(amqp.transport._AbstractTransport).keys()
    source = inspect.getsource(amqp.transport._AbstractTransport.connect)
    assert "self._connect(self.host, self.port, self.connect_timeout)" in source
    assert "self._init_socket(" in source


def test_the_connection_uses_the_transport_and_the_reader_that_it_is_given():
    source = inspect.getsource(amqp.Connection)
    assert "self.transport = self.Transport(" in source
    assert "self.on_inbound_frame = self.frame_handler_cls(" in source


def test_a_method_is_written_by_its_number_and_format():
    assert list(inspect.signature(AbstractChannel.send_method).parameters)[:5] == [
        *("self", "sig", "format", "args", "content")
    ]
    source = inspect.getsource(amqp.Channel._basic_publish)
    assert "spec.Basic.Publish, argsig" in source
    assert "argsig='Bssbb'" in source


def test_the_properties_of_a_message_are_those_that_are_read():
    assert list(frames.PROPERTIES) == amqp.Message.PROPERTIES


def test_the_messages_that_bring_contents_are_those_that_are_read():
    assert set(frames.CONTENT_METHODS) == {spec.Basic.Deliver, spec.Basic.Return}
